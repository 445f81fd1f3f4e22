"use client";

import { useQueryClient } from "@tanstack/react-query";

import { channels, type MessageEvent } from "@/lib/realtime/events";
import { useChannel } from "@/lib/realtime/hooks";

import { conversationsQuery } from "../api/conversations";
import { messagesQuery, withMessage } from "../api/messages";

/** Puts published messages into the thread. What could not be recovered is fetched again. */
export function useLiveMessages(conversationId: string): void {
  const queryClient = useQueryClient();
  const { queryKey } = messagesQuery(conversationId);
  useChannel<MessageEvent>(
    channels.conversation(conversationId),
    (event) => {
      if (event.type !== "message") return;
      queryClient.setQueryData(queryKey, (data) => withMessage(data, event.message));
      void queryClient.invalidateQueries({ queryKey: conversationsQuery.queryKey });
    },
    { onSync: () => void queryClient.invalidateQueries({ queryKey }) },
  );
}
