import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Order, OrderStatus } from "@/lib/api/types";

export const PAGE_SIZE = 20;

export interface OrderFilter {
  page: number;
  status?: OrderStatus;
}

export const ordersKey = ["orders", "list"] as const;

export const ordersQuery = (filter: OrderFilter) =>
  queryOptions({
    queryKey: [...ordersKey, filter],
    queryFn: () => unwrap(api.GET("/api/v1/orders", { params: { query: { ...filter, limit: PAGE_SIZE } } })),
    placeholderData: keepPreviousData,
  });

export const orderQuery = (orderId: string) =>
  queryOptions({
    queryKey: ["orders", "one", orderId],
    queryFn: () => unwrap(api.GET("/api/v1/orders/{order_id}", { params: { path: { order_id: orderId } } })),
  });

export function useOrders(filter: OrderFilter) {
  return useQuery(ordersQuery(filter));
}

export function useOrder(orderId: string) {
  return useQuery(orderQuery(orderId));
}

export interface NewOrder {
  lines: { product_id: string; quantity: number }[];
  note?: string;
  /** The same for every attempt to place this very cart: a repeated request is answered with the first order. */
  idempotencyKey: string;
}

export function usePlaceOrder() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ idempotencyKey, ...body }: NewOrder): Promise<Order> =>
      unwrap(api.POST("/api/v1/orders", { body, params: { header: { "idempotency-key": idempotencyKey } } })),
    onSuccess: (order) => {
      queryClient.setQueryData(orderQuery(order.id).queryKey, order);
      void queryClient.invalidateQueries({ queryKey: ordersKey });
      void queryClient.invalidateQueries({ queryKey: ["products"] }); // Stock has changed.
      void queryClient.invalidateQueries({ queryKey: ["dashboard"] });
    },
  });
}

export function useCancelOrder(orderId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () =>
      unwrap(
        api.POST("/api/v1/orders/{order_id}/cancel", { params: { path: { order_id: orderId } }, body: {} }),
      ),
    onSuccess: (order) => {
      queryClient.setQueryData(orderQuery(orderId).queryKey, order);
      void queryClient.invalidateQueries({ queryKey: ordersKey });
    },
  });
}
