import type { Notification } from "@/lib/api/types";

/** Where a notification leads, if anywhere. */
export function targetOf({ data }: Notification): string | null {
  if (typeof data.order_id === "string") return `/orders/${data.order_id}`;
  if (typeof data.conversation_id === "string") return `/conversations/${data.conversation_id}`;
  if (typeof data.export_id === "string") return "/exports";
  return null;
}

/** Whether the person is looking at the very thing: then there is nothing to notify of. */
export function isOnScreen(notification: Notification): boolean {
  return document.visibilityState === "visible" && targetOf(notification) === window.location.pathname;
}
