import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";

import { ApiKeys } from "@/features/auth/components/api-keys";
import { CreateApiKeyDialog } from "@/features/auth/components/create-api-key-dialog";

import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

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
  expect(within(form).getByLabelText("Name")).toHaveAttribute("maxlength", "80");
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

it("keeps the keys that are known when they cannot be asked for again", async () => {
  const key = { id: "k-1", name: "ci", prefix: "mob_1", scopes: [], last_used_at: null, expires_at: null };
  server.use(http.get(url("/auth/api-keys"), () => HttpResponse.json({ items: [key] })));
  const { queryClient } = renderApp(<ApiKeys />);
  await userEvent.click(await screen.findByRole("button", { name: "Revoke ci" }));
  server.use(http.get(url("/auth/api-keys"), () => problem(503, "unavailable")));
  await queryClient.invalidateQueries();
  expect(await screen.findByText("This may be out of date.")).toBeInTheDocument();
  expect(screen.getByText("ci")).toBeInTheDocument();
  expect(screen.getByRole("dialog", { name: "Revoke ci?" })).toBeInTheDocument();
});
