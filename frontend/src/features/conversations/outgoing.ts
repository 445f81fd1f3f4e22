import { create } from "zustand";

import type { Message } from "@/lib/api/types";

/** A message that was written here and that the conversation does not have yet, as far as we know. */
export interface Outgoing {
  id: string;
  body: string;
  /** The number of the newest message when it was first sent: it can only get a later one. */
  after: number;
  /** Why it was not sent; null while it is on its way. */
  error: unknown;
}

interface OutgoingState {
  /** What is in the field, by thread: looking something up in another one loses nothing. */
  drafts: Readonly<Record<string, string>>;
  messages: Readonly<Record<string, readonly Outgoing[]>>;
  setDraft: (thread: string, text: string) => void;
  put: (thread: string, message: Outgoing) => void;
  fail: (thread: string, id: string, error: unknown) => void;
  remove: (thread: string, id: string) => void;
}

/** In memory only: what somebody wrote to somebody is not left behind on the device. */
export const useOutgoingStore = create<OutgoingState>()((set) => {
  const change = (thread: string, update: (messages: readonly Outgoing[]) => readonly Outgoing[]) =>
    set(({ messages }) => ({ messages: { ...messages, [thread]: update(messages[thread] ?? []) } }));
  return {
    drafts: {},
    messages: {},
    setDraft: (thread, text) => set(({ drafts }) => ({ drafts: { ...drafts, [thread]: text } })),
    put: (thread, message) =>
      change(thread, (present) =>
        present.some(({ id }) => id === message.id)
          ? present.map((item) => (item.id === message.id ? message : item))
          : [...present, message],
      ),
    fail: (thread, failed, error) =>
      change(thread, (present) => present.map((item) => (item.id === failed ? { ...item, error } : item))),
    remove: (thread, removed) => change(thread, (present) => present.filter(({ id }) => id !== removed)),
  };
});

/** Threads of one person: who signs in next in this tab finds neither drafts nor messages. */
export const threadOf = (userId: string, conversationId: string): string => `${userId} ${conversationId}`;

/**
 * Which of them the conversation has already: a message arrives on the channel before its answer does, or although
 * the answer was lost. Each message accounts for one, so the same words twice are two.
 */
export function arrivedOf(
  outgoing: readonly Outgoing[],
  messages: readonly Message[],
  myId: string,
): ReadonlySet<string> {
  const mine = messages.filter(({ author }) => author?.id === myId);
  const taken = new Set<string>();
  const arrived = new Set<string>();
  for (const { id, body, after } of outgoing) {
    const found = mine.find((item) => item.number > after && item.body === body && !taken.has(item.id));
    if (!found) continue;
    taken.add(found.id);
    arrived.add(id);
  }
  return arrived;
}
