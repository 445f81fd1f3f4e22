"use client";

import { PanelRight } from "lucide-react";
import type { ReactNode } from "react";

import { Button } from "@/components/ui/button";
import { Drawer, DrawerContent, DrawerTrigger } from "@/components/ui/drawer";
import { ErrorState, OfflineState } from "@/components/ui/error-state";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { ApiError } from "@/lib/api/problem";
import type { Conversation } from "@/lib/api/types";
import { useCurrentUser } from "@/lib/current-user";
import { useTitle } from "@/lib/hooks/use-title";

import { useConversation, useConversations } from "../api/conversations";
import { inOrder, useMessages } from "../api/messages";
import { useLiveMessages } from "../hooks/use-live-messages";
import { useSay, useUnsent } from "../hooks/use-outgoing";
import { useReadMarker } from "../hooks/use-read-marker";
import { receiptOf } from "../receipts";
import { titleOf } from "../title";
import { Composer } from "./composer";
import { JoinPrompt } from "./join-prompt";
import { MessageList } from "./message-list";
import { PresenceList, PresenceSummary } from "./presence-list";
import { ToList } from "./to-list";

export function Thread({ conversationId }: { conversationId: string }) {
  const conversation = useConversation(conversationId);
  const listed = useConversations().data?.find(({ id }) => id === conversationId);
  // A public conversation may keep its content to those who have joined.
  const joinable = (error: unknown) =>
    listed?.is_public && error instanceof ApiError && [403, 404].includes(error.status);
  if (conversation.data === undefined && conversation.fetchStatus === "paused")
    return (
      <InsteadOfThread>
        <OfflineState />
      </InsteadOfThread>
    );
  return (
    <QueryState
      query={conversation}
      loading={
        <InsteadOfThread>
          <div className="flex-1">
            <SkeletonRows rows={6} />
          </div>
        </InsteadOfThread>
      }
      failed={(error) => (
        <InsteadOfThread>
          {joinable(error) ? (
            <JoinPrompt id={conversationId} title={listed?.title || "Conversation"} />
          ) : (
            <ErrorState error={error} onRetry={() => void conversation.refetch()} />
          )}
        </InsteadOfThread>
      )}
    >
      {(found) =>
        found.is_member ? (
          <JoinedThread conversation={found} />
        ) : (
          <InsteadOfThread>
            <JoinPrompt id={conversationId} title={found.title || "Conversation"} />
          </InsteadOfThread>
        )
      }
    </QueryState>
  );
}

/** What there is where a thread would be. On a narrow screen, where the list is not beside it, with a way back to that. */
function InsteadOfThread({ children }: { children: ReactNode }) {
  return (
    <>
      <header className="flex h-14 shrink-0 items-center border-b px-3 md:hidden">
        <ToList />
      </header>
      <div className="flex flex-1 flex-col justify-center">{children}</div>
    </>
  );
}

function JoinedThread({ conversation }: { conversation: Conversation }) {
  const user = useCurrentUser();
  const title = titleOf(conversation);
  useTitle(title);
  const messages = useMessages(conversation.id);
  const ordered = inOrder(messages.data);
  const unsent = useUnsent(conversation.id, ordered);
  const { say, ...actions } = useSay(conversation.id);
  useLiveMessages(conversation.id);
  useReadMarker(conversation.id, ordered.at(-1));
  return (
    <div className="flex min-h-0 flex-1">
      <section aria-label={title} className="flex min-w-0 flex-1 flex-col">
        <header className="flex h-14 shrink-0 items-center gap-3 border-b px-3 sm:px-5">
          <ToList />
          <h2 className="min-w-0 flex-1 truncate text-base font-semibold">{title}</h2>
          <span className="xl:hidden">
            <Drawer>
              <DrawerTrigger
                render={
                  <Button variant="ghost" size="sm">
                    <PresenceSummary conversationId={conversation.id} />
                    <span className="sr-only">: show who</span>
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
        <QueryState
          query={{ ...messages, isError: messages.isError && !messages.isFetchNextPageError }}
          loading={
            <div className="flex-1">
              <SkeletonRows rows={6} />
            </div>
          }
          className="flex-1"
        >
          {() => (
            <MessageList
              messages={ordered}
              receipt={receiptOf(conversation, ordered, user.id)}
              unsent={unsent}
              actions={actions}
              older={messages}
            />
          )}
        </QueryState>
        <Composer conversationId={conversation.id} onSay={say} />
      </section>
      <aside className="hidden w-60 shrink-0 overflow-y-auto border-l xl:block" aria-label="People">
        <PresenceList conversation={conversation} />
      </aside>
    </div>
  );
}
