"use client";

import { useQueryClient } from "@tanstack/react-query";

import type { Order } from "@/lib/api/types";
import { useCurrentUser } from "@/lib/current-user";
import { channels, type OrderStatusEvent } from "@/lib/realtime/events";
import { useChannel } from "@/lib/realtime/hooks";
import { mergePushed, refetchMissed } from "@/lib/realtime/pushed";

import { orderQuery, ordersKey } from "../api/orders";
import { withStatus } from "../status";

/** Keeps every order on the page current while it is mounted. */
export function useLiveOrders(onEvent?: (event: OrderStatusEvent) => void): void {
  const user = useCurrentUser();
  const queryClient = useQueryClient();
  useChannel<OrderStatusEvent>(
    channels.orders(user.id),
    (event) => {
      if (event.type !== "order.status") return;
      const { queryKey } = orderQuery(event.order_id);
      mergePushed<Order>(queryClient, queryKey, (order) => withStatus(order, event)); // Shown at once …
      refetchMissed(queryClient, queryKey); // … and completed by what the database says.
      refetchMissed(queryClient, ordersKey);
      onEvent?.(event);
    },
    { onSync: () => refetchMissed(queryClient, ["orders"]) },
  );
}
