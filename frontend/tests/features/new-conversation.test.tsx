import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";

import { NewConversationDialog } from "@/features/conversations/components/new-conversation-dialog";

import { conversation } from "../support/conversations";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const push = vi.fn();
vi.mock("next/navigation", () => ({ useRouter: () => ({ push }) }));

it("starts one conversation though its answer was lost, and stores no title that nobody gave", async () => {
  const bodies: unknown[] = [];
  const keys: (string | null)[] = [];
  server.use(
    http.get(url("/directory"), () => HttpResponse.json({ items: [{ id: "u-2", username: "grace" }] })),
    http.post(url("/conversations"), async ({ request }) => {
      bodies.push(await request.json());
      keys.push(request.headers.get("idempotency-key"));
      return keys.length === 1
        ? problem(503, "unavailable")
        : HttpResponse.json(conversation({ title: "", others: ["grace"] }), { status: 201 });
    }),
  );
  renderApp(<NewConversationDialog />);
  await userEvent.click(screen.getByRole("button", { name: "New conversation" }));
  await userEvent.type(await screen.findByLabelText("People"), "gra");
  await userEvent.click(await screen.findByRole("option", { name: "grace" }));
  await userEvent.click(screen.getByRole("button", { name: "Start conversation" }));
  expect(await screen.findByText("It failed: unavailable")).toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "Start conversation" }));
  await waitFor(() => expect(push).toHaveBeenCalledWith("/conversations/c-1"));
  expect(bodies).toEqual([{ participant_ids: ["u-2"] }, { participant_ids: ["u-2"] }]);
  expect(keys[0]).toBeTruthy();
  expect(keys[1]).toBe(keys[0]);
});
