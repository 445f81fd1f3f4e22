import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { components } from "@/lib/api/schema.gen";
import type { Account } from "@/lib/api/types";

const PAGE_SIZE = 20;

const peopleKey = ["people"] as const;

export interface PeopleFilter {
  page: number;
  /** Part of an e-mail address, username or name. */
  q?: string;
  is_active?: boolean;
}

export function usePeople(filter: PeopleFilter) {
  return useQuery({
    queryKey: [...peopleKey, "list", filter],
    queryFn: () => unwrap(api.GET("/api/v1/users", { params: { query: { ...filter, limit: PAGE_SIZE } } })),
    placeholderData: keepPreviousData,
  });
}

const one = (userId: string) => ({ path: { user_id: userId } });

export const accountQuery = (userId: string) =>
  queryOptions({
    queryKey: [...peopleKey, "one", userId],
    queryFn: () => unwrap(api.GET("/api/v1/users/{user_id}", { params: one(userId) })),
  });

export function useAccount(userId: string) {
  return useQuery(accountQuery(userId));
}

export type AccountChange = Pick<components["schemas"]["UserUpdate"], "is_active" | "is_verified" | "roles">;

/** One changes what one has read: an account that somebody changed meanwhile answers 412, and is asked for again. */
export function useChangeAccount(account: Account) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (body: AccountChange): Promise<Account> =>
      unwrap(
        api.PATCH("/api/v1/users/{user_id}", {
          params: { ...one(account.id), header: { "if-match": `"${account.version}"` } },
          body,
        }),
      ),
    onSettled: () => queryClient.invalidateQueries({ queryKey: peopleKey }),
  });
}

/** Only what one has read is deleted, as with changes. */
export function useDeleteAccount({ id, version }: Account) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () =>
      unwrap(
        api.DELETE("/api/v1/users/{user_id}", {
          params: { ...one(id), header: { "if-match": `"${version}"` } },
        }),
      ),
    onSuccess: () => {
      queryClient.removeQueries({ queryKey: accountQuery(id).queryKey });
      void queryClient.invalidateQueries({ queryKey: [...peopleKey, "list"] });
    },
    onError: () => queryClient.invalidateQueries({ queryKey: accountQuery(id).queryKey }),
  });
}

/** They change with the installation, by migrations. */
const ROLES_STALE_MS = 300_000;

export function useRoles() {
  return useQuery({
    queryKey: ["roles"],
    queryFn: () => unwrap(api.GET("/api/v1/roles")),
    staleTime: ROLES_STALE_MS,
  });
}

/** Ends every login session of an account, its tokens and its live connections. */
export function useSignOutEverywhere(userId: string) {
  return useMutation({
    mutationFn: () =>
      unwrap(api.DELETE("/api/v1/realtime/users/{user}/sessions", { params: { path: { user: userId } } })),
  });
}

/** For somebody who has lost their authenticator app and their recovery codes. */
export function useRemoveSecondFactor(userId: string) {
  return useMutation({
    mutationFn: () => unwrap(api.DELETE("/api/v1/users/{user_id}/second-factor", { params: one(userId) })),
  });
}
