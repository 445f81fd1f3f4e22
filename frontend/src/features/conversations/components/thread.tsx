"use client";

import { ChevronLeft, Hash, PanelRight } from "lucide-react";
import Link from "next/link";

import { Button, buttonVariants } from "@/components/ui/button";
import { Drawer, DrawerContent, DrawerTrigger } from "@/components/ui/drawer";
import { Empty } from "@/components/ui/empty";
import { ErrorState } from "@/components/ui/error-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { ApiError } from "@/lib/api/problem";
import type { Conversation } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { useCurrentUser } from "@/lib/current-user";

import { useConversation, useConversations, useJoinConversation } from "../api/conversations";
import { inOrder, useMessages } from "../api/messages";
import { useLiveMessages } from "../hooks/use-live-messages";
import { useReadMarker } from "../hooks/use-read-marker";
import { receiptOf } from "../receipts";
import { titleOf } from "../title";
import { Composer } from "./composer";
import { MessageList } from "./message-list";
import { PresenceList, PresenceSummary } from "./presence-list";

export function Thread({ conversationId }: { conversationId: string }) {
  const conversation = useConversation(conversationId);
  const listed = useConversations().data?.items.find(({ id }) => id === conversationId);
  if (conversation.isPending) return <SkeletonRows rows={6} />;
  if (conversation.isError) {
    // A public conversation may keep its content to those who have joined.
    const refused = conversation.error instanceof ApiError && [403, 404].includes(conversation.error.status);
    if (refused && listed?.is_public)
      return <JoinPrompt id={conversationId} title={listed.title || "Conversation"} />;
    return <ErrorState error={conversation.error} onRetry={() => void conversation.refetch()} />;
  }
  if (!conversation.data.is_member) {
    return <JoinPrompt id={conversationId} title={conversation.data.title || "Conversation"} />;
  }
  return <JoinedThread conversation={conversation.data} />;
}

function JoinPrompt({ id, title }: { id: string; title: string }) {
  const join = useJoinConversation();
  return (
    <div className="flex flex-1 items-center justify-center">
      <Empty
        icon={Hash}
        title={title}
        action={
          <Button
            pending={join.isPending}
            onClick={() =>
              join.mutate(id, { onError: (error) => toast.error("Joining did not work", error) })
            }
          >
            Join conversation
          </Button>
        }
      >
        This conversation is open to everyone. Join to read and write.
      </Empty>
    </div>
  );
}

function JoinedThread({ conversation }: { conversation: Conversation }) {
  const user = useCurrentUser();
  const messages = useMessages(conversation.id);
  const ordered = inOrder(messages.data);
  useLiveMessages(conversation.id);
  useReadMarker(conversation.id, ordered.at(-1));
  return (
    <div className="flex min-h-0 flex-1">
      <section aria-label={titleOf(conversation, user.id)} className="flex min-w-0 flex-1 flex-col">
        <header className="flex h-14 shrink-0 items-center gap-3 border-b px-3 sm:px-5">
          <Link
            href="/conversations"
            aria-label="All conversations"
            className={cn(buttonVariants({ variant: "ghost", size: "icon" }), "-ml-1 md:hidden")}
          >
            <ChevronLeft aria-hidden />
          </Link>
          <h2 className="min-w-0 flex-1 truncate text-base font-semibold">
            {titleOf(conversation, user.id)}
          </h2>
          <span className="xl:hidden">
            <Drawer>
              <DrawerTrigger
                render={
                  <Button variant="ghost" size="sm" aria-label="Who is here">
                    <PresenceSummary conversationId={conversation.id} />
                    <PanelRight aria-hidden />
                  </Button>
                }
              />
              <DrawerContent title="People" className="max-w-72">
                <PresenceList conversation={conversation} />
              </DrawerContent>
            </Drawer>
          </span>
        </header>
        {messages.isPending ? (
          <div className="flex-1">
            <SkeletonRows rows={6} />
          </div>
        ) : messages.isError ? (
          <ErrorState error={messages.error} onRetry={() => void messages.refetch()} className="flex-1" />
        ) : (
          <MessageList
            messages={ordered}
            receipt={receiptOf(conversation, ordered, user.id)}
            hasOlder={messages.hasNextPage}
            loadingOlder={messages.isFetchingNextPage}
            onOlder={() => void messages.fetchNextPage()}
          />
        )}
        <Composer conversationId={conversation.id} />
      </section>
      <aside className="hidden w-60 shrink-0 overflow-y-auto border-l xl:block" aria-label="People">
        <PresenceList conversation={conversation} />
      </aside>
    </div>
  );
}
