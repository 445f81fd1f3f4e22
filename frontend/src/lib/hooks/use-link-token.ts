import { useSyncExternalStore } from "react";

/** A second link may be opened in the same tab: only what is behind `#` changes then, and the page stays. */
function onOtherLink(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

/**
 * What a mailed link carries behind `#`: browsers send it to no server, so it is in no log and no referrer. Null until
 * the page runs in a browser; empty when there is none.
 */
export function useLinkToken(): string | null {
  return useSyncExternalStore(
    onOtherLink,
    () => window.location.hash.slice(1),
    () => null,
  );
}
