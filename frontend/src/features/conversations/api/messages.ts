import {
  infiniteQueryOptions,
  type InfiniteData,
  useInfiniteQuery,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Message, MessagePage, Notification } from "@/lib/api/types";
import { refetchMissed } from "@/lib/realtime/pushed";

import { conversationQuery, conversationsQuery } from "./conversations";

const PAGE_SIZE = 40;

/** Another feature's list, which what is read here changes. */
const NOTICES = ["notifications"] as const;

interface Notices {
  items: readonly Notification[];
  unread: number | null;
}

export const messagesQuery = (conversationId: string) =>
  infiniteQueryOptions({
    queryKey: ["messages", conversationId],
    queryFn: ({ pageParam }) =>
      unwrap(
        api.GET("/api/v1/conversations/{conversation_id}/messages", {
          params: {
            path: { conversation_id: conversationId },
            query: { limit: PAGE_SIZE, cursor: pageParam ?? undefined },
          },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    // What is new is pushed, and what may have been missed is fetched upon `onSync`: nothing is gained by fetching every
    // page of a long thread again because somebody looks at the window again.
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });

export function useMessages(conversationId: string) {
  return useInfiniteQuery(messagesQuery(conversationId));
}

export type MessagePages = InfiniteData<MessagePage>;

/** The pages with a message in its place at the newest end; one that is there already changes nothing. */
export function withMessage(data: MessagePages | undefined, message: Message): MessagePages | undefined {
  const [newest, ...older] = data?.pages ?? [];
  if (!data || !newest) return data;
  if (data.pages.some((page) => page.items.some((item) => item.id === message.id))) return data;
  const items = [message, ...newest.items].sort(newestFirst);
  return { ...data, pages: [{ ...newest, items }, ...older] };
}

/** Only the newest page: there may be a gap between it and the older ones, which are fetched when they are scrolled to. */
export function newestPage(data: MessagePages | undefined): MessagePages | undefined {
  return data && { pages: data.pages.slice(0, 1), pageParams: data.pageParams.slice(0, 1) };
}

/** `number` counts the messages of a conversation in commit order; clocks may disagree. */
function newestFirst(a: Message, b: Message): number {
  return b.number - a.number;
}

/** Oldest first, each message once: pages that were fetched at different moments may overlap. */
export function inOrder(data: MessagePages | undefined): Message[] {
  const byId = new Map<string, Message>();
  for (const page of data?.pages ?? []) for (const message of page.items) byId.set(message.id, message);
  return [...byId.values()].sort(newestFirst).reverse();
}

export function useMarkConversationRead(conversationId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (messageId: string) =>
      unwrap(
        api.POST("/api/v1/conversations/{conversation_id}/read", {
          params: { path: { conversation_id: conversationId } },
          body: { message_id: messageId },
        }),
      ),
    onSuccess: () => {
      refetchMissed(queryClient, conversationsQuery.queryKey);
      // At once: who else has read is pushed meanwhile, and an answer that is on its way takes that in.
      void queryClient.invalidateQueries({ queryKey: conversationQuery(conversationId).queryKey });
      // The server marks its notice as read, too; it may be an older one that is not here, but counted.
      const { items = [], unread } = queryClient.getQueryData<Partial<Notices>>(NOTICES) ?? {};
      const here = items.filter(({ read_at }) => !read_at);
      const its = here.some(({ data }) => data.conversation_id === conversationId);
      if (its || (unread ?? 0) > here.length) void queryClient.invalidateQueries({ queryKey: NOTICES });
    },
  });
}
