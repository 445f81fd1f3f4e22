import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { createRef } from "react";
import { expect, it, vi } from "vitest";

import { CopyButton } from "@/components/ui/copy-button";
import { Toaster } from "@/components/ui/toast";

function open() {
  const field = createRef<HTMLInputElement>();
  const user = userEvent.setup();
  render(
    <Toaster>
      <input ref={field} readOnly value="mob_secret" aria-label="Key" />
      <CopyButton text="mob_secret" shownIn={field} />
    </Toaster>,
  );
  return { user, field: screen.getByLabelText<HTMLInputElement>("Key") };
}

it("copies, and says so", async () => {
  const { user } = open();
  await user.click(screen.getByRole("button", { name: "Copy" }));
  expect(await screen.findByRole("button", { name: "Copied" })).toBeInTheDocument();
  expect(await navigator.clipboard.readText()).toBe("mob_secret");
});

it("selects the text where a script may not copy it, and says what to do", async () => {
  const { user, field } = open();
  vi.spyOn(navigator, "clipboard", "get").mockReturnValue(undefined as unknown as Clipboard);
  await user.click(screen.getByRole("button", { name: "Copy" }));
  expect((await screen.findAllByText("It is selected now: copy it yourself."))[0]).toBeInTheDocument();
  await waitFor(() => expect(field.selectionEnd).toBe(10));
  expect(field.selectionStart).toBe(0);
});
