import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

import { loginSessionsQuery } from "./profile";

export const secondFactorQuery = queryOptions({
  queryKey: ["auth", "second-factor"],
  queryFn: () => unwrap(api.GET("/api/v1/auth/second-factor")),
});

export function useSecondFactor() {
  return useQuery(secondFactorQuery);
}

/** What a change of a second factor needs. */
export interface Proof {
  current_password: string;
  code: string;
}

/**
 * Answers carry secrets: they are kept no longer than the form that shows them. Nor is anything waited for that is
 * fetched because of them: they are given once, and whoever is shown them late may be gone.
 */
const UNCACHED = { gcTime: 0 } as const;

export function useBeginEnrolment() {
  return useMutation({
    ...UNCACHED,
    mutationFn: (current_password: string) =>
      unwrap(api.POST("/api/v1/auth/second-factor/totp", { body: { current_password } })),
  });
}

export function useConfirmEnrolment() {
  const queryClient = useQueryClient();
  return useMutation({
    ...UNCACHED,
    mutationFn: (code: string) =>
      unwrap(api.POST("/api/v1/auth/second-factor/totp/confirm", { body: { code } })),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: secondFactorQuery.queryKey });
      void queryClient.invalidateQueries({ queryKey: loginSessionsQuery.queryKey });
    },
  });
}

export function useRenewRecoveryCodes() {
  const queryClient = useQueryClient();
  return useMutation({
    ...UNCACHED,
    mutationFn: (proof: Proof) =>
      unwrap(api.POST("/api/v1/auth/second-factor/recovery-codes", { body: proof })),
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: secondFactorQuery.queryKey }),
  });
}

export function useDisableSecondFactor() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (proof: Proof) => unwrap(api.POST("/api/v1/auth/second-factor/disable", { body: proof })),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: secondFactorQuery.queryKey }),
  });
}
