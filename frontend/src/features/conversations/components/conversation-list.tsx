"use client";

import { Hash, MessagesSquare, Users } from "lucide-react";
import Link from "next/link";
import { useParams } from "next/navigation";

import { Empty } from "@/components/ui/empty";
import { LoadMore } from "@/components/ui/load-more";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { SkeletonRows } from "@/components/ui/skeleton";
import type { ConversationSummary } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { useCurrentUser } from "@/lib/current-user";

import { useConversations } from "../api/conversations";
import { authorOf, titleOf } from "../title";
import { NewConversationDialog } from "./new-conversation-dialog";

export function ConversationList() {
  const conversations = useConversations();
  return (
    <section aria-label="Conversations" className="flex h-full min-h-0 flex-col">
      <header className="flex h-14 shrink-0 items-center justify-between gap-2 border-b pr-3 pl-4">
        <h1 className="text-base font-semibold">Conversations</h1>
        <NewConversationDialog />
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <QueryState
          query={{ ...conversations, isError: conversations.isError && !conversations.isFetchNextPageError }}
          loading={<SkeletonRows rows={4} />}
        >
          {(found) =>
            found.length === 0 ? (
              <Empty icon={MessagesSquare} title="No conversations yet" className="py-10">
                Start one with the button above.
              </Empty>
            ) : (
              <>
                <ul className="space-y-0.5 p-2">
                  {found.map((conversation) => (
                    <ConversationRow key={conversation.id} conversation={conversation} />
                  ))}
                </ul>
                <LoadMore query={conversations} failed="Older conversations could not be loaded.">
                  Older conversations
                </LoadMore>
              </>
            )
          }
        </QueryState>
      </div>
    </section>
  );
}

function ConversationRow({ conversation }: { conversation: ConversationSummary }) {
  const user = useCurrentUser();
  const open = useParams<{ id?: string }>().id === conversation.id;
  const title = titleOf(conversation);
  const last = conversation.last_message;
  const Icon = conversation.is_public ? Hash : Users;
  return (
    <li>
      <Link
        href={`/conversations/${conversation.id}`}
        aria-current={open ? "page" : undefined}
        className={cn(
          "flex items-center gap-3 rounded-md px-2.5 py-2.5 transition-colors",
          open ? "bg-primary-soft" : "hover:bg-muted",
        )}
      >
        <span className="flex size-9 shrink-0 items-center justify-center rounded-full bg-muted text-muted-foreground">
          <Icon aria-hidden className="size-4" />
        </span>
        <span className="min-w-0 flex-1">
          <span className="flex items-baseline justify-between gap-2">
            <span className="truncate text-sm font-medium">{title}</span>
            {last ? (
              <span className="shrink-0 text-xs text-muted-foreground">
                <RelativeTime at={last.created_at} />
              </span>
            ) : null}
          </span>
          <span className="flex items-center justify-between gap-2">
            <span className="truncate text-xs text-muted-foreground">
              {last
                ? `${authorOf(last, user.id)}: ${last.body}`
                : conversation.is_member
                  ? "No messages yet"
                  : "Open to everyone"}
            </span>
            {conversation.unread_count > 0 && !open ? (
              <span className="flex h-4.5 min-w-4.5 items-center justify-center rounded-full bg-primary px-1.5 text-[0.6875rem] font-semibold text-primary-foreground">
                {conversation.unread_count > 99 ? "99+" : conversation.unread_count}
                <span className="sr-only"> unread</span>
              </span>
            ) : null}
          </span>
        </span>
      </Link>
    </li>
  );
}
