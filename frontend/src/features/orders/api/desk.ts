import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Order, OrderStatus } from "@/lib/api/types";

import { orderQuery, ordersKey, PAGE_SIZE } from "./orders";

/** Only its owner is told of an order; whoever looks after all of them asks. */
const POLL_MS = 3_000;

const deskKey = ["orders", "desk"] as const;

export interface DeskFilter {
  page: number;
  status?: OrderStatus;
  /** What the order is called: M-100042. */
  number?: string;
  /** Whose they are. */
  user_id?: string;
}

/** Everybody's orders, newest first. */
export function useDesk(filter: DeskFilter) {
  return useQuery({
    queryKey: [...deskKey, filter],
    queryFn: () =>
      unwrap(
        api.GET("/api/v1/orders", { params: { query: { ...filter, everyone: true, limit: PAGE_SIZE } } }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  });
}

export interface Move {
  status: OrderStatus;
  reason: string;
}

/** Moves an order on. Whatever became of it, somebody else may have been faster: what is shown is asked for again. */
export function useMoveOrder(orderId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (body: Move): Promise<Order> =>
      unwrap(api.POST("/api/v1/orders/{order_id}/status", { params: { path: { order_id: orderId } }, body })),
    onSuccess: (order) => queryClient.setQueryData(orderQuery(orderId).queryKey, order),
    onError: () => queryClient.invalidateQueries({ queryKey: orderQuery(orderId).queryKey }),
    onSettled: () => {
      void queryClient.invalidateQueries({ queryKey: deskKey });
      void queryClient.invalidateQueries({ queryKey: ordersKey });
    },
  });
}
