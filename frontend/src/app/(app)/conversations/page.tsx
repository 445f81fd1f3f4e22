import { MessagesSquare } from "lucide-react";
import type { Metadata } from "next";

import { Empty } from "@/components/ui/empty";

export const metadata: Metadata = { title: "Conversations" };

export default function ConversationsPage() {
  return (
    <div className="flex flex-1 items-center justify-center">
      <Empty icon={MessagesSquare} title="Pick a conversation">
        The Lobby is open to everyone; or start one of your own.
      </Empty>
    </div>
  );
}
