import type { Conversation, Message } from "@/lib/api/types";

/** The conversation with somebody's read mark moved; marks never move back, and one that stands changes nothing. */
export function withRead(conversation: Conversation, userId: string, number: number): Conversation {
  const moves = conversation.participants.some(
    ({ id, last_read_number }) => id === userId && last_read_number < number,
  );
  if (!moves) return conversation;
  return {
    ...conversation,
    participants: conversation.participants.map((participant) =>
      participant.id === userId ? { ...participant, last_read_number: number } : participant,
    ),
  };
}

/** Who else has read a message, by name. Its author has, and so has whoever looks. */
export function readersOf(conversation: Conversation, message: Message, myId: string): string[] {
  return conversation.participants
    .filter(
      ({ id, last_read_number }) =>
        id !== myId && id !== message.author?.id && last_read_number >= message.number,
    )
    .map(({ username }) => username)
    .sort((a, b) => a.localeCompare(b));
}

const NAMED = 3;

/** "Seen by ada", "Seen by everyone": under the newest of my messages that somebody has read. */
export function receiptText(readers: readonly string[], others: number): string {
  if (readers.length > 1 && readers.length === others) return "Seen by everyone";
  if (readers.length <= NAMED) return `Seen by ${readers.join(", ")}`;
  return `Seen by ${readers.slice(0, NAMED - 1).join(", ")} and ${readers.length - NAMED + 1} more`;
}

/** The newest of my messages that somebody else has read, and what to say about it. */
export function receiptOf(
  conversation: Conversation,
  messages: readonly Message[],
  myId: string,
): { messageId: string; text: string } | null {
  const others = conversation.participants.filter(({ id }) => id !== myId).length;
  for (const message of [...messages].reverse()) {
    if (message.author?.id !== myId) continue;
    const readers = readersOf(conversation, message, myId);
    if (readers.length > 0) return { messageId: message.id, text: receiptText(readers, others) };
  }
  return null;
}
