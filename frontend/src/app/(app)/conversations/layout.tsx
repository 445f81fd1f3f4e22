"use client";

import { useParams } from "next/navigation";
import type { ReactNode } from "react";

import { Card } from "@/components/ui/card";
import { ConversationList } from "@/features/conversations/components/conversation-list";
import { cn } from "@/lib/cn";

/** List and thread side by side; on a narrow screen one at a time. */
export default function ConversationsLayout({ children }: { children: ReactNode }) {
  const open = useParams<{ id?: string }>().id !== undefined;
  return (
    <Card className="flex h-[calc(100dvh-7.25rem)] min-h-96 overflow-hidden sm:h-[calc(100dvh-8rem)]">
      <div className={cn("w-full shrink-0 md:w-72 md:border-r", open && "max-md:hidden")}>
        <ConversationList />
      </div>
      <div className={cn("flex min-w-0 flex-1 flex-col", !open && "max-md:hidden")}>{children}</div>
    </Card>
  );
}
