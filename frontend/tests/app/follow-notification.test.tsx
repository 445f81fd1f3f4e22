import { act, screen, waitFor } from "@testing-library/react";
import { expect, it, vi } from "vitest";

import { useFollowNotification } from "@/app/(app)/_components/use-follow-notification";
import { ConversationList } from "@/features/conversations/components/conversation-list";
import { NotificationBell } from "@/features/notifications/components/notification-bell";

import { conversation } from "../support/conversations";
import { page } from "../support/fixtures";
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
    http.get(url("/notifications"), () => HttpResponse.json(page([]))),
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
