import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { withoutMessage } from "@/features/conversations/api/removal";
import { Thread } from "@/features/conversations/components/thread";

import { answerThread, bodies, pageOf } from "../support/conversations";
import { currentUser, message } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const moderator = currentUser({ permissions: ["conversations:use", "conversations:moderate"] });

describe("withoutMessage", () => {
  it("leaves pages alone that do not hold it", () => {
    const data = { pages: [pageOf([message(2)]), pageOf([message(1)])], pageParams: [null, "older"] };
    expect(withoutMessage(data as never, "m-9")).toBe(data);
    expect(withoutMessage(data as never, "m-1")?.pages.map(({ items }) => items.length)).toEqual([1, 0]);
    expect(withoutMessage(undefined, "m-1")).toBeUndefined();
  });
});

describe("a message", () => {
  it("goes when others hear that it was removed", async () => {
    answerThread();
    const { client } = renderApp(<Thread conversationId="c-1" />);
    await waitFor(() => expect(bodies()).toContain("message 2"));
    await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
    const data = { type: "message_removed", message_id: "m-2", number: 2 };
    act(() => void client.subscription("conversation:c-1").emit("publication", { data }));
    await waitFor(() => expect(screen.queryByText("message 2")).not.toBeInTheDocument());
  });

  it("is removed by those who moderate, and by whoever said it", async () => {
    const removed: string[] = [];
    answerThread();
    server.use(
      http.delete(url("/conversations/c-1/messages/:id"), ({ params }) => {
        removed.push(String(params.id));
        return removed.length === 1 ? problem(503, "unavailable") : new HttpResponse(null, { status: 204 });
      }),
    );
    renderApp(<Thread conversationId="c-1" />, { user: moderator });
    await userEvent.click(await screen.findByRole("button", { name: "Remove message: message 2" }));
    const dialog = await screen.findByRole("dialog", { name: "Remove this message?" });
    expect(dialog).toHaveTextContent("What grace wrote is taken away from everybody.");
    await userEvent.click(within(dialog).getByRole("button", { name: "Remove the message" }));
    expect(await screen.findAllByText("The message was not removed")).not.toHaveLength(0);
    await userEvent.click(within(dialog).getByRole("button", { name: "Remove the message" }));
    await waitFor(() => expect(screen.queryByText("message 2")).not.toBeInTheDocument());
    expect(removed).toEqual(["m-2", "m-2"]);
  });

  it("of somebody else stays, for everybody else", async () => {
    answerThread();
    renderApp(<Thread conversationId="c-1" />);
    await waitFor(() => expect(bodies()).toContain("message 2"));
    expect(screen.queryByRole("button", { name: /^Remove message/ })).not.toBeInTheDocument();
  });
});
