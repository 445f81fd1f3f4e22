"use client";

import { useQueryClient } from "@tanstack/react-query";

import { toast } from "@/components/ui/toast";
import type { Notification } from "@/lib/api/types";
import { useCurrentUser } from "@/lib/current-user";
import { channels, type NotificationEvent } from "@/lib/realtime/events";
import { useServerChannel } from "@/lib/realtime/hooks";
import { mergePushed, refetchMissed } from "@/lib/realtime/pushed";

import {
  mayCount,
  type NotificationPage,
  notificationsQuery,
  pagesKey,
  useMarkRead,
  withNotification,
} from "../api/notifications";
import { isOnScreen } from "../target";

/** Keeps the list current from the personal channel, shows what arrives, and hands it to whom it concerns. */
export function useLiveNotifications(onNotification?: (notification: Notification) => void): void {
  const user = useCurrentUser();
  const queryClient = useQueryClient();
  const markRead = useMarkRead();
  useServerChannel<NotificationEvent>(
    channels.personal(user.id),
    (event) => {
      if (event.type !== "notification") return;
      const { queryKey } = notificationsQuery;
      // News of an older notice that is not on the page is counted already: only the server knows.
      const counted = mayCount(queryClient.getQueryData(queryKey), event.notification.id);
      mergePushed<NotificationPage>(queryClient, queryKey, (page) =>
        withNotification(page, event.notification),
      );
      refetchMissed(queryClient, counted ? queryKey : pagesKey);
      onNotification?.(event.notification);
      if (isOnScreen(event.notification)) {
        markRead.mutate(event.notification.id);
        return;
      }
      toast.info(event.notification.title, event.notification.body);
    },
    { onSync: () => refetchMissed(queryClient, notificationsQuery.queryKey) },
  );
}
