import { focusManager, QueryObserver } from "@tanstack/react-query";
import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { inOrder, withMessage } from "@/features/conversations/api/messages";
import { Thread } from "@/features/conversations/components/thread";
import { readersOf, receiptOf, receiptText, withRead } from "@/features/conversations/receipts";
import { authorOf, titleOf } from "@/features/conversations/title";

import { answerThread, bodies, conversation, pageOf } from "../support/conversations";
import { message } from "../support/fixtures";
import { info } from "../support/realtime";
import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

vi.mock("next/navigation", () => ({ useRouter: () => ({ push: vi.fn() }), useParams: () => ({}) }));

const data = (...pages: ReturnType<typeof pageOf>[]) => ({ pages, pageParams: pages.map(() => null) });

describe("the messages of a thread", () => {
  it("are in order, each once, whichever way they came", () => {
    const given = data(pageOf([message(4), message(3)]), pageOf([message(3), message(2)]));
    expect(inOrder(given).map(({ number }) => number)).toEqual([2, 3, 4]);
    expect(inOrder(undefined)).toEqual([]);
  });

  it("take in one that arrives late at its place, and one that arrives twice not at all", () => {
    const given = data(pageOf([message(4), message(2)]));
    const late = withMessage(given, message(3));
    expect(late?.pages[0]?.items.map(({ number }) => number)).toEqual([4, 3, 2]);
    expect(withMessage(late, message(3))).toBe(late);
    expect(withMessage(undefined, message(1))).toBeUndefined();
  });
});

describe("names", () => {
  it("are of the people when a conversation has none, and outlive accounts", () => {
    const named = (count: number) =>
      titleOf(conversation({ title: "", others: ["b", "c", "d", "e"].slice(0, count) }));
    expect([named(0), named(2), named(4)]).toEqual(["Untitled conversation", "b, c", "b, c and 2 more"]);
    expect(authorOf(message(1, { author: null }), "u-1")).toBe("Former member");
    expect(authorOf(message(1, { author: { id: "u-1", username: "ada" } }), "u-1")).toBe("You");
  });
});

describe("read receipts", () => {
  const mine = (number: number) => message(number, { author: { id: "u-1", username: "ada" } });

  it("move forward only, and one that stands changes nothing", () => {
    const given = conversation();
    const moved = withRead(given, "u-2", 2);
    expect(moved.participants.map(({ last_read_number }) => last_read_number)).toEqual([0, 2, 0]);
    expect(withRead(moved, "u-2", 1)).toBe(moved);
    expect(withRead(moved, "u-9", 5)).toBe(moved);
  });

  it("name who else has read, on the newest of my messages that somebody has", () => {
    const read = withRead(conversation(), "u-2", 2);
    expect(readersOf(read, mine(2), "u-1")).toEqual(["grace"]);
    expect(readersOf(read, mine(3), "u-1")).toEqual([]);
    expect(receiptOf(read, [mine(1), mine(2), mine(3)], "u-1")).toEqual({
      messageId: "m-2",
      text: "Seen by grace",
    });
    expect(receiptOf(read, [message(2, { author: { id: "u-2", username: "grace" } })], "u-1")).toBeNull();
    expect(receiptText(["b", "c"], 2)).toBe("Seen by everyone");
    expect(receiptText(["b", "c", "d", "e"], 9)).toBe("Seen by b, c and 2 more");
  });
});

describe("a thread", () => {
  let read: unknown[];
  beforeEach(() => {
    read = [];
    answerThread(read);
  });

  it("shows history, adds what is published, pages back, and marks what was read", async () => {
    const { client } = renderApp(<Thread conversationId="c-1" />);
    expect(await screen.findByText("message 2")).toBeInTheDocument();
    await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
    act(
      () =>
        void client
          .subscription("conversation:c-1")
          .emit("publication", { data: { type: "message", message: message(3) } }),
    );
    expect(await screen.findByText("message 3")).toBeInTheDocument();
    await waitFor(() => expect(read).toEqual([{ message_id: "m-2" }, { message_id: "m-3" }]));
    await userEvent.click(screen.getByRole("button", { name: "Older messages" }));
    await waitFor(() => expect(bodies()).toEqual(["message 1", "message 2", "message 3"]));
  });

  it("asks for its newest page only when publications may have been missed, and for none at another look", async () => {
    const asked: (string | null)[] = [];
    server.use(
      http.get(url("/conversations/c-1/messages"), ({ request }) => {
        const cursor = new URL(request.url).searchParams.get("cursor");
        asked.push(cursor);
        return HttpResponse.json(cursor ? pageOf([message(1)]) : pageOf([message(2)], "older"));
      }),
    );
    const { client, queryClient } = renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    await userEvent.click(screen.getByRole("button", { name: "Older messages" }));
    await waitFor(() => expect(bodies()).toEqual(["message 1", "message 2"]));
    await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
    await waitFor(() => expect(queryClient.isFetching()).toBe(0));
    asked.length = 0;
    act(() => {
      focusManager.setFocused(false);
      focusManager.setFocused(true);
      focusManager.setFocused(undefined);
    });
    await waitFor(() => expect(queryClient.isFetching()).toBe(0));
    expect(asked).toEqual([]);
    act(() => void client.subscription("conversation:c-1").emit("subscribed", { recovered: false }));
    await waitFor(() => expect(asked).toEqual([null]));
    await waitFor(() => expect(queryClient.isFetching()).toBe(0));
    expect(bodies()).toEqual(["message 2"]);
  });

  it("has its notice read with it, and asks for notices only when there is one", async () => {
    let asked = 0;
    const { queryClient } = renderApp(<Thread conversationId="c-1" />);
    queryClient.setQueryDefaults(["notifications"], {
      queryFn: async () => {
        asked += 1;
        return { items: [] };
      },
    });
    const notice = { id: "n-1", read_at: null, data: { conversation_id: "c-1" } };
    queryClient.setQueryData(["notifications"], { items: [notice] });
    const stop = new QueryObserver(queryClient, {
      queryKey: ["notifications"],
      staleTime: Infinity,
    }).subscribe(() => undefined);
    await waitFor(() => expect(read).toHaveLength(1));
    await waitFor(() => expect(asked).toBe(1));
    act(() => void queryClient.setQueryData(["messages", "c-1"], data(pageOf([message(3), message(2)]))));
    await waitFor(() => expect(read).toHaveLength(2));
    await waitFor(() => expect(queryClient.isFetching()).toBe(0));
    expect(asked).toBe(1);
    // One of those that are not here, but counted, may be its own.
    queryClient.setQueryData(["notifications"], { items: [], unread: 1 });
    act(() => void queryClient.setQueryData(["messages", "c-1"], data(pageOf([message(4), message(3)]))));
    await waitFor(() => expect(asked).toBe(2));
    stop();
  });

  it("shows that others have seen what I wrote, as they read it", async () => {
    let stored = conversation();
    server.use(
      http.get(url("/conversations/c-1"), () => HttpResponse.json(stored)),
      http.get(url("/conversations/c-1/messages"), () =>
        HttpResponse.json(pageOf([message(2, { author: { id: "u-1", username: "ada" } })])),
      ),
    );
    const { client } = renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    expect(screen.queryByTestId("receipt")).toBeNull();
    await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
    const reads = (user: string, number?: number) => {
      if (number !== undefined) stored = withRead(stored, user, number);
      act(
        () =>
          void client
            .subscription("conversation:c-1")
            .emit("publication", { data: { type: "read", user, epoch: "e", offset: 2, number } }),
      );
    };
    reads("u-3");
    expect(screen.queryByTestId("receipt")).toBeNull();
    reads("u-2", 2);
    expect(await screen.findByText("Seen by grace")).toBeInTheDocument();
    reads("u-3", 2);
    expect(await screen.findByText("Seen by everyone")).toBeInTheDocument();
  });

  it("shows who is here and who is away", async () => {
    const { client } = renderApp(<Thread conversationId="c-1" />);
    await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
    const channel = client.subscription("conversation:c-1");
    act(() => void channel.emit("subscribed", { recovered: false }));
    act(() => channel.answerPresence({ c1: info("c1", "u-1", "ada"), c2: info("c2", "u-2", "grace") }));
    await waitFor(() =>
      expect(screen.getAllByTestId("present").map(({ textContent }) => textContent)).toEqual([
        "ada (you)",
        "grace",
      ]),
    );
    act(() => void channel.emit("leave", { info: info("c2", "u-2", "grace") }));
    expect(screen.getAllByTestId("present")).toHaveLength(1);
    expect(screen.getByRole("list", { name: "Away" })).toHaveTextContent("grace");
  });

  it("names the page", async () => {
    server.use(
      http.get(url("/conversations/c-1"), () =>
        HttpResponse.json(conversation({ title: "", others: ["grace", "linus"] })),
      ),
    );
    renderApp(<Thread conversationId="c-1" />);
    expect(await screen.findByRole("heading", { name: "grace, linus" })).toBeInTheDocument();
    expect(document.title).toBe("grace, linus · Mobula");
  });

  it("invites to join what is open to everyone", async () => {
    let member = false;
    server.use(
      http.get(url("/conversations/c-1"), () => HttpResponse.json(conversation({ is_member: member }))),
      http.post(url("/conversations/c-1/join"), () => {
        member = true;
        return HttpResponse.json(conversation());
      }),
    );
    renderApp(<Thread conversationId="c-1" />);
    await userEvent.click(await screen.findByRole("button", { name: "Join conversation" }));
    expect(await screen.findByText("message 2")).toBeInTheDocument();
  });
});
