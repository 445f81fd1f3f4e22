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

/**
 * The page with a notification on top. The server writes news of the same thing into the notice that is still unread
 * and keeps its id: then it replaces what was there. The same notice again (a recovered duplicate) changes nothing.
 */
export function withNotification(page: NotificationPage | undefined, added: Notification) {
  const known = page?.items.find((item) => item.id === added.id);
  if (!page || (known && Date.parse(known.created_at) >= Date.parse(added.created_at))) return page;
  return {
    ...page,
    items: [added, ...page.items.filter((item) => item !== known)].slice(0, SHOWN),
    total: page.total === null || known ? page.total : page.total + 1,
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
      mergePushed<NotificationPage>(
        queryClient,
        notificationsQuery.queryKey,
        (page) =>
          page && {
            ...page,
            items: page.items.map((item) => (item.id === notificationId ? { ...item, read_at } : item)),
          },
      );
    },
    onError: () => queryClient.invalidateQueries({ queryKey: notificationsQuery.queryKey }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: pagesKey }),
  });
}

export function useMarkAllRead() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.POST("/api/v1/notifications/read")),
    onSettled: () => queryClient.invalidateQueries({ queryKey: notificationsQuery.queryKey }),
  });
}
