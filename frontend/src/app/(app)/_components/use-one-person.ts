"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useRef } from "react";

import { meQuery } from "@/features/auth/api/session";
import type { CurrentUser } from "@/lib/api/types";
import { useCart } from "@/lib/cart";
import { onOtherTab } from "@/lib/session-news";

const [ME] = meQuery.queryKey;

/**
 * Keeps what this tab holds to one person. Cookies are shared between tabs: when another one signs out, or in as
 * somebody else, we ask who we are now, and whatever was fetched for the person before is dropped before anybody
 * else's page is drawn.
 */
export function useOnePerson(user: CurrentUser | undefined, signedOut: boolean): void {
  const queryClient = useQueryClient();
  const userId = user?.id;

  useEffect(
    () => onOtherTab(() => void queryClient.invalidateQueries({ queryKey: meQuery.queryKey })),
    [queryClient],
  );

  useEffect(() => {
    let before = queryClient.getQueryData(meQuery.queryKey)?.id;
    // Heard before any component is, so that none is drawn from the other's data.
    return queryClient.getQueryCache().subscribe(({ type, query }) => {
      if (type !== "updated" || query.queryKey[0] !== ME) return;
      const now = (query.state.data as CurrentUser | undefined)?.id;
      if (now === undefined || now === before) return;
      if (before !== undefined) {
        queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== ME });
        queryClient.getMutationCache().clear();
      }
      before = now;
    });
  }, [queryClient]);

  useLayoutEffect(() => {
    if (userId) useCart.getState().claim(userId);
  }, [userId]);

  const ended = useRef(false);
  useEffect(() => {
    ended.current = signedOut;
  }, [signedOut]);
  useEffect(
    () => () => {
      if (ended.current) queryClient.clear();
    },
    [queryClient],
  );
}
