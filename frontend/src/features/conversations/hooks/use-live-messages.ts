"use client";

import { useQueryClient } from "@tanstack/react-query";

import type { Conversation } from "@/lib/api/types";
import {
  channels,
  type MessageEvent,
  type MessageRemovedEvent,
  type ReadEvent,
  type RemovedEvent,
} from "@/lib/realtime/events";
import { useChannel } from "@/lib/realtime/hooks";
import { mergePushed, refetchMissed } from "@/lib/realtime/pushed";

import { conversationQuery, conversationsQuery } from "../api/conversations";
import { type MessagePages, messagesQuery, newestPage, withMessage } from "../api/messages";
import { withoutMessage } from "../api/removal";
import { withRead } from "../receipts";

/** Puts published messages and read marks into the thread. What could not be recovered is fetched again. */
export function useLiveMessages(conversationId: string): void {
  const queryClient = useQueryClient();
  const { queryKey } = messagesQuery(conversationId);
  const conversationKey = conversationQuery(conversationId).queryKey;
  useChannel<MessageEvent | MessageRemovedEvent | ReadEvent | RemovedEvent>(
    channels.conversation(conversationId),
    (event) => {
      if (event.type === "read") {
        const { user, number } = event;
        if (number === undefined) return;
        mergePushed<Conversation>(
          queryClient,
          conversationKey,
          (conversation) => conversation && withRead(conversation, user, number),
        );
        return;
      }
      if (event.type === "removed") {
        // By a moderator: asked for again, it does not exist.
        void queryClient.invalidateQueries({ queryKey: conversationKey });
        void queryClient.invalidateQueries({ queryKey: conversationsQuery.queryKey });
        return;
      }
      if (event.type === "message_removed") {
        mergePushed<MessagePages>(queryClient, queryKey, (data) => withoutMessage(data, event.message_id));
        refetchMissed(queryClient, conversationsQuery.queryKey);
        return;
      }
      if (event.type !== "message") return;
      mergePushed<MessagePages>(queryClient, queryKey, (data) => withMessage(data, event.message));
      refetchMissed(queryClient, conversationsQuery.queryKey);
    },
    {
      onSync: () => {
        queryClient.setQueryData<MessagePages>(queryKey, newestPage);
        refetchMissed(queryClient, queryKey);
        refetchMissed(queryClient, conversationKey);
      },
    },
  );
}
