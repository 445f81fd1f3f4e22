import {
  infiniteQueryOptions,
  type InfiniteData,
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { ConversationPage, ConversationSummary } from "@/lib/api/types";
import { useIdempotencyKey } from "@/lib/hooks/use-idempotency-key";

/** As many as the API gives at once: most people have fewer, and every message asks for the pages that are open. */
const PAGE_SIZE = 100;

/** Who is written to is notified at once; what is said in public is notified to nobody. */
const POLL_MS = 30_000;

/** The latest active first. An empty cursor asks for the first page by cursor. */
export const conversationsQuery = infiniteQueryOptions({
  queryKey: ["conversations", "list"],
  queryFn: ({ pageParam }) =>
    unwrap(api.GET("/api/v1/conversations", { params: { query: { limit: PAGE_SIZE, cursor: pageParam } } })),
  initialPageParam: "",
  getNextPageParam: (last) => last.next,
  refetchInterval: POLL_MS,
});

/** Each once: one that was written to while pages were fetched is on two of them, and belongs where it is first. */
export function listed(data: InfiniteData<ConversationPage>): ConversationSummary[] {
  const byId = new Map<string, ConversationSummary>();
  for (const page of data.pages)
    for (const conversation of page.items)
      if (!byId.has(conversation.id)) byId.set(conversation.id, conversation);
  return [...byId.values()];
}

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
  return useInfiniteQuery({ ...conversationsQuery, select: listed });
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
