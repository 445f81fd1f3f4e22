import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import { useIdempotencyKey } from "@/lib/hooks/use-idempotency-key";

const MAX_LISTED = 100;

/** Who is written to is notified at once; what is said in public is notified to nobody. */
const POLL_MS = 30_000;

export const conversationsQuery = queryOptions({
  queryKey: ["conversations", "list"],
  queryFn: () => unwrap(api.GET("/api/v1/conversations", { params: { query: { limit: MAX_LISTED } } })),
  refetchInterval: POLL_MS,
});

export const conversationQuery = (conversationId: string) =>
  queryOptions({
    queryKey: ["conversations", "one", conversationId],
    queryFn: () =>
      unwrap(
        api.GET("/api/v1/conversations/{conversation_id}", {
          params: { path: { conversation_id: conversationId } },
        }),
      ),
  });

export function useConversations() {
  return useQuery(conversationsQuery);
}

export function useConversation(conversationId: string) {
  return useQuery(conversationQuery(conversationId));
}

export interface NewConversation {
  title?: string;
  participant_ids: string[];
}

export function useCreateConversation() {
  const queryClient = useQueryClient();
  const { keyOf, done } = useIdempotencyKey();
  return useMutation({
    mutationFn: (body: NewConversation) =>
      unwrap(
        api.POST("/api/v1/conversations", { body, params: { header: { "idempotency-key": keyOf(body) } } }),
      ),
    onSuccess: (conversation) => {
      done();
      queryClient.setQueryData(conversationQuery(conversation.id).queryKey, conversation);
      void queryClient.invalidateQueries({ queryKey: conversationsQuery.queryKey });
    },
  });
}

export function useJoinConversation() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (conversationId: string) =>
      unwrap(
        api.POST("/api/v1/conversations/{conversation_id}/join", {
          params: { path: { conversation_id: conversationId } },
        }),
      ),
    onSuccess: (conversation) => {
      queryClient.setQueryData(conversationQuery(conversation.id).queryKey, conversation);
      void queryClient.invalidateQueries({ queryKey: conversationsQuery.queryKey });
    },
  });
}

export function useDirectory(text: string) {
  const q = text.trim();
  return useQuery({
    queryKey: ["directory", q],
    queryFn: () => unwrap(api.GET("/api/v1/directory", { params: { query: { q, limit: 8 } } })),
    enabled: q.length > 0,
    staleTime: 60_000,
  });
}
