import type { ExportState, Message, Notification, OrderStatus } from "@/lib/api/types";

/** What is published on each channel. Unknown `type`s are ignored by readers, so the server may add some. */
export interface OrderStatusEvent {
  type: "order.status";
  order_id: string;
  order_number: string;
  status: OrderStatus;
  previous: OrderStatus | null;
  at: string;
}

export interface MessageEvent {
  type: "message";
  message: Message;
}

/** Its author or a moderator has taken a message away. */
export interface MessageRemovedEvent {
  type: "message_removed";
  message_id: string;
  number: number;
}

/** Somebody has read further; no part of the channel's stream, so it may be missed: the conversation says the same. */
export interface ReadEvent {
  type: "read";
  user: string;
  epoch: string;
  offset: number;
  /** The newest message that they have read. */
  number?: number;
}

/** A moderator has taken the conversation away. */
export interface RemovedEvent {
  type: "removed";
}

export interface ExportProgressEvent {
  type: "export.progress";
  export_id: string;
  state: ExportState;
  rows: number;
  total: number | null;
  percent: number | null;
}

export interface NotificationEvent {
  type: "notification";
  notification: Notification;
}

/** How the system does: for anybody who is signed in. */
export interface StatsEvent {
  type: "stats";
  connections?: number | null;
  jobs_running?: number;
  jobs_waiting?: number;
}

/** How the shop does: for who has `dashboard:read`. */
export interface SalesEvent {
  type: "sales";
  orders_today?: number;
  revenue_today?: string | number;
}

/** One thing that a traced connection did or was told, or that happened in a traced channel. */
export interface TraceEvent {
  /** Unix milliseconds. */
  at: number;
  kind:
    | "in"
    | "out"
    | "closed"
    | "publication"
    | "join"
    | "leave"
    | "subscribed"
    | "unsubscribed"
    | (string & {});
  client?: string;
  user?: string;
  channel?: string;
  /** Of `in`, `out` and `closed`; secrets are redacted, long ones cut. */
  frame?: unknown;
  [more: string]: unknown;
}

/** What a trace publishes: its start, what each process saw, and that a process traces no more. */
export type TraceMessage =
  | { type: "start"; user: string; client: string; channel: string; seconds: number }
  | { type: "events"; node: string; dropped: number; events: TraceEvent[] }
  | { type: "end"; node: string; reason: string };

export const channels = {
  dashboard: "dashboard:live",
  sales: "sales:live",
  conversation: (conversationId: string) => `conversation:${conversationId}`,
  orders: (userId: string) => `orders:updates#${userId}`,
  trace: (traceId: string) => `trace:${traceId}`,
  exports: (userId: string) => `exports:progress#${userId}`,
  /** Subscribed by the server when the socket opens. */
  personal: (userId: string) => `user:#${userId}`,
} as const;
