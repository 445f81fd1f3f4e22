import { renewHint } from "@/lib/session-hint";

import { Unreachable } from "./problem";
import { reach } from "./reach";

/**
 * The login session as this tab sees it. The tokens themselves are HttpOnly cookies that no script can read; what is
 * kept here is only how to renew them and whom to tell when that is no longer possible.
 */
type Listener = () => void;

/** While a refresh is under way, every tab waits for it. */
const REFRESH_LIMIT_MS = 10_000;

const listeners = new Set<Listener>();
let renewal: Promise<boolean> | null = null;

/** Calls `listener` when the session is over and cannot be renewed. Returns the way to stop listening. */
export function onSessionEnded(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function announceSessionEnded(): void {
  for (const listener of [...listeners]) listener();
}

/** However many requests find their access token expired at once, one refresh is sent and all wait for it. */
export function renewSession(): Promise<boolean> {
  renewal ??= acrossTabs(sendRefresh).finally(() => {
    renewal = null;
  });
  return renewal;
}

/** Refresh tokens rotate: tabs take turns, so that no two of them spend the same one. */
async function acrossTabs(action: () => Promise<boolean>): Promise<boolean> {
  if (typeof navigator === "undefined" || !("locks" in navigator) || !navigator.locks) return action();
  return navigator.locks.request("mobula-session", action);
}

async function sendRefresh(): Promise<boolean> {
  const response = await reach(new URL("/api/v1/auth/refresh", window.location.origin), {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-Mobula-CSRF": "1" },
    body: "{}",
    limitMs: REFRESH_LIMIT_MS,
  });
  // Only a refusal ends the session. A server that is restarting (5xx) or busy (429) says nothing about it.
  if (response.status >= 500 || response.status === 429) {
    throw new Unreachable(`refresh answered ${response.status}`);
  }
  if (response.ok) renewHint();
  return response.ok;
}
