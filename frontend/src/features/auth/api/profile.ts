import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

import { meQuery } from "./session";

export interface ProfileChange {
  username?: string;
  email?: string;
  current_password?: string;
  new_password?: string;
  /** Beside the password, when there is a second factor. */
  code?: string;
}

export function useUpdateProfile() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (change: ProfileChange) => unwrap(api.PATCH("/api/v1/auth/me", { body: change })),
    onSuccess: (user) => queryClient.setQueryData(meQuery.queryKey, user),
  });
}

export const loginSessionsQuery = queryOptions({
  queryKey: ["auth", "sessions"],
  queryFn: () => unwrap(api.GET("/api/v1/auth/sessions")),
});

export function useLoginSessions() {
  return useQuery(loginSessionsQuery);
}

export function useRevokeLoginSession() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (sessionId: string) =>
      unwrap(
        api.DELETE("/api/v1/auth/sessions/{session_id}", { params: { path: { session_id: sessionId } } }),
      ),
    onSettled: () => queryClient.invalidateQueries({ queryKey: loginSessionsQuery.queryKey }),
  });
}
