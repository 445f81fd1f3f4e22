import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Notification } from "@/lib/api/types";
import { mergePushed } from "@/lib/realtime/pushed";

const SHOWN = 20;

/** Pages of all notifications; the first key alone is the bell's. */
export const pagesKey = ["notifications", "pages"] as const;

export const notificationsQuery = queryOptions({
  queryKey: ["notifications"],
  queryFn: () => unwrap(api.GET("/api/v1/notifications", { params: { query: { limit: SHOWN } } })),
});

export type NotificationPage = Awaited<ReturnType<NonNullable<typeof notificationsQuery.queryFn>>>;

const isUnread = (item: Notification) => !item.read_at;

export function useNotifications() {
  return useQuery(notificationsQuery);
}

/** All of them, or the unread ones, a page at a time. */
export function useNotificationPage({ unread, cursor }: { unread: boolean; cursor: string }) {
  return useQuery({
    queryKey: [...pagesKey, { unread, cursor }],
    queryFn: () =>
      unwrap(api.GET("/api/v1/notifications", { params: { query: { limit: SHOWN, unread, cursor } } })),
    placeholderData: keepPreviousData,
  });
}

/** How many unread ones there are beside those on the page. */
function unreadElsewhere({ items, unread }: NotificationPage): number {
  return (unread ?? 0) - items.filter(isUnread).length;
}

/** Whether a notification that is not on the page may be among the unread ones that are counted. */
export function mayCount(page: NotificationPage | undefined, id: string): boolean {
  return page !== undefined && unreadElsewhere(page) > 0 && page.items.every((item) => item.id !== id);
}

/**
 * The page with a notification on top. The server writes news of the same thing into the notice that is still unread
 * and keeps its id: then it replaces what was there. The same notice again (a recovered duplicate) changes nothing.
 */
export function withNotification(page: NotificationPage | undefined, added: Notification) {
  const known = page?.items.find((item) => item.id === added.id);
  if (!page || (known && Date.parse(known.created_at) >= Date.parse(added.created_at))) return page;
  const others = page.items.filter((item) => item !== known);
  return {
    ...page,
    items: [added, ...others].slice(0, SHOWN),
    total: page.total === null || known ? page.total : page.total + 1,
    unread: unreadElsewhere(page) + [added, ...others].filter(isUnread).length,
  };
}

/** The page with one notification read; one that is read already, or not on it, changes nothing. */
export function withRead(page: NotificationPage | undefined, id: string, read_at: string) {
  if (!page?.items.some((item) => item.id === id && isUnread(item))) return page;
  return {
    ...page,
    items: page.items.map((item) => (item.id === id ? { ...item, read_at } : item)),
    unread: (page.unread ?? 1) - 1,
  };
}

export function useMarkRead() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (notificationId: string) =>
      unwrap(
        api.POST("/api/v1/notifications/{notification_id}/read", {
          params: { path: { notification_id: notificationId } },
        }),
      ),
    onMutate: (notificationId) => {
      const read_at = new Date().toISOString();
      // An answer that is on its way was read before, and would show it as unread again.
      mergePushed<NotificationPage>(queryClient, notificationsQuery.queryKey, (page) =>
        withRead(page, notificationId, read_at),
      );
    },
    onError: () => queryClient.invalidateQueries({ queryKey: notificationsQuery.queryKey }),
    onSuccess: (_, notificationId) => {
      const counted = mayCount(queryClient.getQueryData(notificationsQuery.queryKey), notificationId);
      return queryClient.invalidateQueries({ queryKey: counted ? notificationsQuery.queryKey : pagesKey });
    },
  });
}

export function useMarkAllRead() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.POST("/api/v1/notifications/read")),
    onSettled: () => queryClient.invalidateQueries({ queryKey: notificationsQuery.queryKey }),
  });
}
