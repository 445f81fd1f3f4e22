import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { AccountChange, AuditEntry } from "@/lib/api/types";

import { idOf } from "./people";

const PAGE_SIZE = 25;

/** The first page is where something new appears. */
const POLL_MS = 10_000;

/** As much of a page as is shown. */
interface TrailPage<T> {
  items: T[];
  next: string | null;
  prev: string | null;
}

const EMPTY: TrailPage<never> = { items: [], next: null, prev: null };

export interface EntryFilter {
  action?: string;
  /** Username, e-mail address or id of who acted. */
  by?: string;
  subject_type?: string;
  subject_id?: string;
  cursor?: string;
}

/** Acts, newest first; none by somebody whom nobody knows. */
export function useEntries({ by, ...filter }: EntryFilter) {
  const queryClient = useQueryClient();
  return useQuery({
    queryKey: ["audit", "entries", { ...filter, by }],
    queryFn: async (): Promise<TrailPage<AuditEntry>> => {
      const actor = by ? await queryClient.fetchQuery(idOf(by)) : undefined;
      if (actor === null) return EMPTY;
      return unwrap(
        api.GET("/api/v1/audit/entries", {
          params: { query: { ...filter, actor_id: actor, limit: PAGE_SIZE } },
        }),
      );
    },
    placeholderData: keepPreviousData,
    refetchInterval: filter.cursor ? false : POLL_MS,
  });
}

/** What happened to one account, newest first. `of`: its username, e-mail address or id. */
export function useAccountChanges(of: string, cursor?: string) {
  const queryClient = useQueryClient();
  return useQuery({
    queryKey: ["audit", "changes", of, cursor],
    queryFn: async (): Promise<TrailPage<AccountChange>> => {
      const userId = await queryClient.fetchQuery(idOf(of));
      if (userId === null) return EMPTY;
      return unwrap(
        api.GET("/api/v1/audit/users/{user_id}/changes", {
          params: { path: { user_id: userId }, query: { cursor, limit: PAGE_SIZE } },
        }),
      );
    },
    enabled: of !== "",
    placeholderData: keepPreviousData,
  });
}
