import type { Conversation } from "@/lib/api/types";

import { screen } from "@testing-library/react";

import { message, page } from "./fixtures";
import { http, HttpResponse, server, url } from "./server";

const AT = "2026-11-22T12:00:00Z";
export const joined = (id: string, username: string) => ({
  id,
  username,
  joined_at: AT,
  last_read_number: 0,
});

export function conversation(part: Partial<Conversation> = {}): Conversation {
  return {
    id: "c-1",
    title: "Lobby",
    others: [],
    is_public: true,
    is_member: true,
    channel: "conversation:c-1",
    last_message: null,
    message_count: 2,
    unread_count: 0,
    last_message_at: AT,
    created_at: AT,
    participants: [joined("u-1", "ada"), joined("u-2", "grace"), joined("u-3", "linus")],
    _links: {},
    ...part,
  } as Conversation;
}

export const pageOf = (items: ReturnType<typeof message>[], next: string | null = null) => ({
  items,
  limit: 40,
  next,
  prev: null,
  _links: {},
});

/** A server with one conversation of two messages; what is marked as read lands in `read`. */
export function answerThread(read: unknown[] = []) {
  server.use(
    http.get(url("/conversations"), () => HttpResponse.json(page([conversation()]))),
    http.get(url("/conversations/c-1"), () => HttpResponse.json(conversation())),
    http.get(url("/conversations/c-1/messages"), ({ request }) =>
      HttpResponse.json(
        new URL(request.url).searchParams.get("cursor")
          ? pageOf([message(1)])
          : pageOf([message(2)], "older"),
      ),
    ),
    http.post(url("/conversations/c-1/read"), async ({ request }) => {
      read.push(await request.json());
      return new HttpResponse(null, { status: 204 });
    }),
  );
}

/** What the thread shows, oldest first. */
export const bodies = () =>
  screen.getAllByTestId("message").map((item) => item.querySelector("p:last-child")?.textContent);
