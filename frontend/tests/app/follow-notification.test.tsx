import { act, screen, waitFor } from "@testing-library/react";
import { expect, it, vi } from "vitest";

import { useFollowNotification } from "@/app/(app)/_components/use-follow-notification";
import { ConversationList } from "@/features/conversations/components/conversation-list";
import { Thread } from "@/features/conversations/components/thread";
import { NotificationBell } from "@/features/notifications/components/notification-bell";

import { answerThread, conversation } from "../support/conversations";
import { message, notices, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

vi.mock("next/navigation", () => ({ useRouter: () => ({ push: vi.fn() }), useParams: () => ({}) }));

function Page() {
  return (
    <>
      <NotificationBell onNotification={useFollowNotification()} />
      <ConversationList />
    </>
  );
}

it("lists a conversation as soon as somebody begins it with us", async () => {
  let listed: ReturnType<typeof conversation>[] = [];
  server.use(
    http.get(url("/notifications"), () => HttpResponse.json(notices([]))),
    http.get(url("/conversations"), () => HttpResponse.json(page(listed))),
  );
  const { client } = renderApp(<Page />);
  expect(await screen.findByText("No conversations yet")).toBeInTheDocument();
  await waitFor(() => expect(client.connects).toBe(1));
  listed = [conversation({ id: "c-9", title: "Tea" })];
  const notification = {
    id: "n-1",
    kind: "conversation.created",
    title: "grace began a conversation with you",
    body: "Tea",
    data: { conversation_id: "c-9", author: "grace" },
    read_at: null,
    created_at: "2026-11-22T12:00:00Z",
  };
  const data = { type: "notification", notification };
  act(() => void client.emit("publication", { channel: "user:#u-1", data }));
  expect(await screen.findByRole("link", { name: /Tea/ })).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Notifications, 1 unread" })).toBeInTheDocument();
});

it("fetches the list of conversations once for a message and its notice, and once when they are read", async () => {
  answerThread();
  let asked = 0;
  let marked = 0;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  server.use(
    http.get(url("/notifications"), () => HttpResponse.json(notices([]))),
    http.post(url("/notifications/:id/read"), () => new HttpResponse(null, { status: 204 })),
    http.get(url("/conversations"), () => {
      asked += 1;
      return HttpResponse.json(page([conversation()]));
    }),
    http.post(url("/conversations/c-1/read"), async () => {
      marked += 1;
      if (marked > 1) await released;
      return new HttpResponse(null, { status: 204 });
    }),
  );
  window.history.replaceState(null, "", "/conversations/c-1");
  const { client, queryClient } = renderApp(
    <>
      <Page />
      <Thread conversationId="c-1" />
    </>,
  );
  await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
  await waitFor(() =>
    expect([asked, queryClient.isFetching()], "at first, and when it is read").toEqual([2, 0]),
  );
  const notification = {
    id: "n-1",
    kind: "message",
    title: "grace",
    body: "message 3",
    data: { conversation_id: "c-1" },
    read_at: null,
    created_at: "2026-11-22T12:00:00Z",
    _links: {},
  };
  act(() => {
    client
      .subscription("conversation:c-1")
      .emit("publication", { data: { type: "message", message: message(3) } });
    client.emit("publication", { channel: "user:#u-1", data: { type: "notification", notification } });
  });
  await waitFor(() => expect(marked).toBe(2));
  await waitFor(() => expect([asked, queryClient.isFetching()]).toEqual([3, 0]));
  release();
  await waitFor(() => expect([asked, queryClient.isFetching()]).toEqual([4, 0]));
  window.history.replaceState(null, "", "/");
});
