import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { act } from "react";
import { expect, test } from "vitest";

import { toast } from "@/components/ui/toast";

import { renderApp } from "../support/render";

test("what is said in passing can be dismissed by whoever hears it", async () => {
  renderApp(<p>Page</p>);
  act(() => {
    toast.success("Saved");
    toast.error("Not sent", new Error("the line is dead"));
  });

  for (const [role, title] of [
    ["dialog", "Saved"],
    ["alertdialog", "Not sent"],
  ] as const) {
    const said = await screen.findByRole(role, { name: title });
    await userEvent.click(within(said).getByRole("button", { name: "Dismiss" }));
    await waitFor(() => expect(said).not.toBeInTheDocument());
  }
});

test("an error is said once, at once", async () => {
  renderApp(<p>Page</p>);
  act(() => {
    toast.error("Not sent", new Error("the line is dead"));
  });

  expect(await screen.findByRole("alert")).toHaveTextContent("Not sent");
  expect(screen.getByRole("alertdialog", { name: "Not sent" })).toHaveAttribute("aria-live", "off");
});
