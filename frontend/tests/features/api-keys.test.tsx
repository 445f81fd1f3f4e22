import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";

import { CreateApiKeyDialog } from "@/features/auth/components/create-api-key-dialog";

import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

it("shows a new key's secret, whatever is pressed meanwhile, until one says that it is copied", async () => {
  let answer: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => (answer = resolve));
  let made = 0;
  server.use(
    http.post(url("/auth/api-keys"), async () => {
      made += 1;
      await arrived;
      return HttpResponse.json({ id: "k-1", name: "ci", key: "mob_secret" }, { status: 201 });
    }),
  );
  renderApp(<CreateApiKeyDialog />);
  await userEvent.click(screen.getByRole("button", { name: "New API key" }));
  const form = await screen.findByRole("form", { name: "New API key" });
  await userEvent.type(within(form).getByLabelText("Name"), "ci");
  await userEvent.click(within(form).getByLabelText("orders:place"));
  await userEvent.click(within(form).getByRole("button", { name: "Create key" }));
  await waitFor(() => expect(made).toBe(1));
  await userEvent.keyboard("{Escape}");
  answer();
  expect(await screen.findByLabelText("API key")).toHaveValue("mob_secret");
  await userEvent.keyboard("{Escape}");
  await userEvent.click(document.body);
  expect(screen.getByLabelText("API key")).toHaveValue("mob_secret");
  await userEvent.click(screen.getByRole("button", { name: "Done" }));
  await waitFor(() => expect(screen.queryByLabelText("API key")).not.toBeInTheDocument());
});
