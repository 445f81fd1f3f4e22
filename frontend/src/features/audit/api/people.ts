import { queryOptions, useQuery } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import { can, useCurrentUser } from "@/lib/current-user";

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NAMES_KEPT_MS = 10 * 60_000;

/** The trail names people by their ids, also those who are gone. */
export function usePerson(userId: string) {
  const user = useCurrentUser();
  return useQuery({
    queryKey: ["audit", "person", userId],
    queryFn: () => unwrap(api.GET("/api/v1/users/{user_id}", { params: { path: { user_id: userId } } })),
    enabled: can(user, "users:read"),
    staleTime: NAMES_KEPT_MS,
  });
}

/** The id of whoever has this username or e-mail address, or of an account that is named by its id; null for nobody. */
export const idOf = (called: string) =>
  queryOptions({
    queryKey: ["audit", "called", called.toLowerCase()],
    queryFn: async () => {
      if (UUID.test(called)) return called;
      const wanted = called.toLowerCase();
      const { items } = await unwrap(
        api.GET("/api/v1/users", { params: { query: { q: called, sort: "username", limit: 100 } } }),
      );
      const found = items.find(
        ({ username, email }) => username.toLowerCase() === wanted || email.toLowerCase() === wanted,
      );
      return found?.id ?? null;
    },
    staleTime: NAMES_KEPT_MS,
  });
