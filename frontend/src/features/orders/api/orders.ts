import {
  keepPreviousData,
  queryOptions,
  useIsMutating,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Order, OrderStatus } from "@/lib/api/types";
import { useCart } from "@/lib/cart";

import { isFinal } from "../status";
import { isPriceChange, isShortage, rememberPrices, rememberShortage } from "./offers";

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

/** Changes of one's own orders are pushed; those of somebody else's are not told to us. */
const POLL_MS = 5_000;

export function useOrder(orderId: string, viewerId: string) {
  return useQuery({
    ...orderQuery(orderId),
    refetchInterval: ({ state: { data } }) =>
      data && data.user_id !== viewerId && !isFinal(data.status) ? POLL_MS : false,
  });
}

export interface NewOrder {
  /** Each with what it was shown to cost: at another price nothing is ordered. */
  lines: { product_id: string; quantity: number; expected_price: string; expected_currency: string }[];
  note?: string;
  /** The same for every attempt to place this very cart: a repeated request is answered with the first order. */
  idempotencyKey: string;
}

const PLACE = ["orders", "place"] as const;

/**
 * Orders something; what was ordered leaves the cart. Whoever asked may be gone from the page when the answer comes,
 * so all that follows from it belongs here, and not to the call.
 */
export function usePlaceOrder(onPlaced: (order: Order) => void) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationKey: PLACE,
    mutationFn: ({ idempotencyKey, ...body }: NewOrder): Promise<Order> =>
      unwrap(api.POST("/api/v1/orders", { body, params: { header: { "idempotency-key": idempotencyKey } } })),
    onSuccess: (order, { lines }) => {
      useCart
        .getState()
        .settle(lines.map(({ product_id, quantity }) => ({ productId: product_id, quantity })));
      queryClient.setQueryData(orderQuery(order.id).queryKey, order);
      void queryClient.invalidateQueries({ queryKey: ordersKey });
      void queryClient.invalidateQueries({ queryKey: ["products"] }); // Stock has changed.
      void queryClient.invalidateQueries({ queryKey: ["dashboard"] });
      onPlaced(order);
    },
    onError: (error) => {
      if (isShortage(error)) rememberShortage(queryClient, error);
      if (isPriceChange(error)) rememberPrices(error);
    },
  });
}

/** Whether an order is on its way. */
export function useIsPlacing(): boolean {
  return useIsMutating({ mutationKey: PLACE }) > 0;
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
