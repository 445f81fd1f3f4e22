/** Tells this browser's other tabs that somebody signed in or out: they share the cookies, but not what they show. */
const CHANNEL = "mobula-session";

let channel: BroadcastChannel | null = null;

/** One object for both directions: a channel does not hear itself. */
function open(): BroadcastChannel | null {
  if (typeof BroadcastChannel === "undefined") return null;
  channel ??= new BroadcastChannel(CHANNEL);
  return channel;
}

export function tellOtherTabs(): void {
  open()?.postMessage("changed");
}

/** Calls `listener` when another tab has signed in or out. Returns the way to stop listening. */
export function onOtherTab(listener: () => void): () => void {
  const heard = open();
  heard?.addEventListener("message", listener);
  return () => heard?.removeEventListener("message", listener);
}
