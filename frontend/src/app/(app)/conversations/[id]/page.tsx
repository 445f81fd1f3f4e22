import type { Metadata } from "next";

import { Thread } from "@/features/conversations/components/thread";

export const metadata: Metadata = { title: "Conversation" };

export default async function ConversationPage({ params }: PageProps<"/conversations/[id]">) {
  const { id } = await params;
  return <Thread key={id} conversationId={id} />;
}
