import { useSyncExternalStore } from "react";

const NEVER = () => () => undefined;

/**
 * What a mailed link carries behind `#`: browsers send it to no server, so it is in no log and no referrer. Null until
 * the page runs in a browser; empty when there is none.
 */
export function useLinkToken(): string | null {
  return useSyncExternalStore(
    NEVER,
    () => window.location.hash.slice(1),
    () => null,
  );
}
