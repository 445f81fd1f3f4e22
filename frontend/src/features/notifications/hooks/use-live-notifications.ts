"use client";

import { useQueryClient } from "@tanstack/react-query";

import { toast } from "@/components/ui/toast";
import { useCurrentUser } from "@/lib/current-user";
import { channels, type NotificationEvent } from "@/lib/realtime/events";
import { useServerChannel } from "@/lib/realtime/hooks";

import { notificationsQuery, useMarkRead, withNotification } from "../api/notifications";
import { isOnScreen } from "../target";

/** Keeps the list current from the personal channel, and shows what arrives. */
export function useLiveNotifications(): void {
  const user = useCurrentUser();
  const queryClient = useQueryClient();
  const markRead = useMarkRead();
  useServerChannel<NotificationEvent>(
    channels.personal(user.id),
    (event) => {
      if (event.type !== "notification") return;
      queryClient.setQueryData(notificationsQuery.queryKey, (page) =>
        withNotification(page, event.notification),
      );
      if (isOnScreen(event.notification)) {
        markRead.mutate(event.notification.id);
        return;
      }
      toast.info(event.notification.title, event.notification.body);
    },
    { onSync: () => void queryClient.invalidateQueries({ queryKey: notificationsQuery.queryKey }) },
  );
}
