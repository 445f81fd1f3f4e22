"use client";

import { useParams } from "next/navigation";
import type { ReactNode } from "react";

import { Card } from "@/components/ui/card";
import { ConversationList } from "@/features/conversations/components/conversation-list";
import { cn } from "@/lib/cn";

/**
 * List and thread side by side; on a narrow screen one at a time. They fill what the shell leaves of the window,
 * whatever is above them, so that the field to write in is always in view.
 */
export default function ConversationsLayout({ children }: { children: ReactNode }) {
  const open = useParams<{ id?: string }>().id !== undefined;
  return (
    <Card data-fill className="flex min-h-0 flex-1 overflow-hidden">
      <div className={cn("w-full shrink-0 md:w-72 md:border-r", open && "max-md:hidden")}>
        <ConversationList />
      </div>
      <div className={cn("flex min-w-0 flex-1 flex-col", !open && "max-md:hidden")}>{children}</div>
    </Card>
  );
}
