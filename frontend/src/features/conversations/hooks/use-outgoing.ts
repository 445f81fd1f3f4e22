"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Message } from "@/lib/api/types";
import { useCurrentUser } from "@/lib/current-user";
import { newId } from "@/lib/new-id";
import { mergePushed, refetchMissed } from "@/lib/realtime/pushed";

import { conversationsQuery } from "../api/conversations";
import { inOrder, type MessagePages, messagesQuery, withMessage } from "../api/messages";
import { arrivedOf, type Outgoing, threadOf, useOutgoingStore } from "../outgoing";

const NONE: readonly Outgoing[] = [];

/** The text in the field of a conversation, which stays while one looks at another. */
export function useDraft(conversationId: string): [string, (text: string) => void] {
  const thread = threadOf(useCurrentUser().id, conversationId);
  const text = useOutgoingStore(({ drafts }) => drafts[thread] ?? "");
  const setDraft = useOutgoingStore((store) => store.setDraft);
  return [text, (next) => setDraft(thread, next)];
}

/** Says something: it shows at once, and is sent after what was said before it. */
export function useSay(conversationId: string) {
  const queryClient = useQueryClient();
  const thread = threadOf(useCurrentUser().id, conversationId);
  const { put, fail, remove } = useOutgoingStore.getState();
  const { queryKey } = messagesQuery(conversationId);
  const { mutate } = useMutation({
    scope: { id: `say ${thread}` },
    // The one act that waits for the network: it holds nothing up, and the message says what it waits for.
    networkMode: "online",
    mutationFn: ({ id, body }: Outgoing) =>
      unwrap(
        api.POST("/api/v1/conversations/{conversation_id}/messages", {
          // Sent again under its own key: when only the answer was lost, it is not said twice.
          params: { path: { conversation_id: conversationId }, header: { "idempotency-key": id } },
          body: { body },
        }),
      ),
    // Here and not with the call: who has written may be in another conversation when the answer comes.
    onSuccess: (message, { id }) => {
      // The same message arrives on the channel as well; whichever is first is shown.
      mergePushed<MessagePages>(queryClient, queryKey, (data) => withMessage(data, message));
      remove(thread, id);
      refetchMissed(queryClient, conversationsQuery.queryKey);
    },
    onError: (error, { id }) => fail(thread, id, error),
  });
  return {
    say: (body: string) => {
      const data = queryClient.getQueryData(queryKey);
      // Before the history is here, nothing in it can be told from what is sent now.
      const after = data ? (inOrder(data).at(-1)?.number ?? 0) : Infinity;
      const message = { id: newId(), body, after, error: null };
      put(thread, message);
      mutate(message);
    },
    sayAgain: (message: Outgoing) => {
      put(thread, { ...message, error: null });
      mutate(message);
    },
    discard: ({ id }: Outgoing) => remove(thread, id),
  };
}

/** What was written here and is not among the messages yet. */
export function useUnsent(conversationId: string, messages: readonly Message[]): readonly Outgoing[] {
  const userId = useCurrentUser().id;
  const thread = threadOf(userId, conversationId);
  const outgoing = useOutgoingStore((store) => store.messages[thread] ?? NONE);
  const arrived = arrivedOf(outgoing, messages, userId);
  useEffect(() => {
    // Its answer was lost, but it is there: there is nothing left to send again.
    for (const { id, error } of outgoing)
      if (error && arrived.has(id)) useOutgoingStore.getState().remove(thread, id);
  });
  return outgoing.filter(({ id }) => !arrived.has(id));
}
