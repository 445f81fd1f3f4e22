import { useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

import { meQuery } from "./session";

export function useForgotPassword() {
  return useMutation({
    mutationFn: (email: string) => unwrap(api.POST("/api/v1/auth/password/forgot", { body: { email } })),
  });
}

export interface NewPassword {
  token: string;
  new_password: string;
}

export function useResetPassword() {
  return useMutation({
    mutationFn: (body: NewPassword) => unwrap(api.POST("/api/v1/auth/password/reset", { body })),
  });
}

export function useVerifyEmail() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (token: string) => unwrap(api.POST("/api/v1/auth/email/verify", { body: { token } })),
    // Whoever is signed in here may be the one whose address it is.
    onSuccess: () => queryClient.invalidateQueries({ queryKey: meQuery.queryKey }),
  });
}

export function useRequestVerification() {
  return useMutation({
    mutationFn: () => unwrap(api.POST("/api/v1/auth/email/verification")),
  });
}
