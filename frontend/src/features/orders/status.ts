import type { Tone } from "@/components/ui/badge";
import type { Order, OrderStatus } from "@/lib/api/types";
import type { OrderStatusEvent } from "@/lib/realtime/events";

/** The way of an order that nobody cancels. */
export const STEPS = [
  "pending",
  "paid",
  "packed",
  "shipped",
  "delivered",
] as const satisfies readonly OrderStatus[];

export const STATUS: Record<OrderStatus, { label: string; tone: Tone; explained: string }> = {
  pending: { label: "Pending", tone: "warning", explained: "We have your order." },
  paid: { label: "Paid", tone: "primary", explained: "The payment is in." },
  packed: { label: "Packed", tone: "violet", explained: "Everything is in the box." },
  shipped: { label: "Shipped", tone: "primary", explained: "On its way to you." },
  delivered: { label: "Delivered", tone: "success", explained: "It has arrived." },
  cancelled: { label: "Cancelled", tone: "danger", explained: "This order was cancelled." },
};

export function isFinal(status: OrderStatus): boolean {
  return status === "delivered" || status === "cancelled";
}

const CANCELLABLE: readonly OrderStatus[] = ["pending", "paid", "packed"];

/** Where an order may go from here, the ordinary way first. The API is what refuses. */
export function reachable(status: OrderStatus): readonly OrderStatus[] {
  const next = STEPS.slice(0, -1).findIndex((step) => step === status) + 1;
  return [
    ...(next > 0 ? [STEPS[next] as OrderStatus] : []),
    ...(CANCELLABLE.includes(status) ? (["cancelled"] as const) : []),
  ];
}

/** The order after a live event. Events may come twice or late: what the history has already is left alone. */
export function withStatus(order: Order | undefined, event: OrderStatusEvent): Order | undefined {
  if (!order || order.id !== event.order_id) return order;
  if (order.history.some((entry) => entry.status === event.status)) return order;
  return {
    ...order,
    status: event.status,
    updated_at: event.at,
    history: [...order.history, { status: event.status, previous: event.previous, at: event.at, reason: "" }],
  };
}
