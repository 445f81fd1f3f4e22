import { useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Message } from "@/lib/api/types";
import { mergePushed, refetchMissed } from "@/lib/realtime/pushed";

import { conversationsQuery } from "./conversations";
import { type MessagePages, messagesQuery } from "./messages";

/** The pages without a message; those that do not hold it stay as they are. */
export function withoutMessage(data: MessagePages | undefined, messageId: string): MessagePages | undefined {
  if (!data?.pages.some((page) => page.items.some(({ id }) => id === messageId))) return data;
  return {
    ...data,
    pages: data.pages.map((page) => ({ ...page, items: page.items.filter(({ id }) => id !== messageId) })),
  };
}

/** Takes a message away from everybody. The others hear of it on the channel. */
export function useRemoveMessage({ id, conversation_id }: Pick<Message, "id" | "conversation_id">) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () =>
      unwrap(
        api.DELETE("/api/v1/conversations/{conversation_id}/messages/{message_id}", {
          params: { path: { conversation_id, message_id: id } },
        }),
      ),
    onSuccess: () => {
      mergePushed<MessagePages>(queryClient, messagesQuery(conversation_id).queryKey, (data) =>
        withoutMessage(data, id),
      );
      refetchMissed(queryClient, conversationsQuery.queryKey);
    },
  });
}
