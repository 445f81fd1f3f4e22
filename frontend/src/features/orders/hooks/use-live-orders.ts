"use client";

import { useQueryClient } from "@tanstack/react-query";

import { useCurrentUser } from "@/lib/current-user";
import { channels, type OrderStatusEvent } from "@/lib/realtime/events";
import { useChannel } from "@/lib/realtime/hooks";

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
      queryClient.setQueryData(queryKey, (order) => withStatus(order, event)); // Shown at once …
      void queryClient.invalidateQueries({ queryKey }); // … and completed by what the database says.
      void queryClient.invalidateQueries({ queryKey: ordersKey });
      onEvent?.(event);
    },
    { onSync: () => void queryClient.invalidateQueries({ queryKey: ["orders"] }) },
  );
}
