import type { ConversationSummary, Message } from "@/lib/api/types";

/** Conversations of two usually have no title: they are called after the other person. */
export function titleOf({ title, others: names }: ConversationSummary): string {
  if (title) return title;
  if (names.length === 0) return "Untitled conversation";
  return names.length <= 3
    ? names.join(", ")
    : `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
}

/** Messages outlive accounts. */
export function authorOf(message: Message, myId: string): string {
  if (!message.author) return "Former member";
  return message.author.id === myId ? "You" : message.author.username;
}
