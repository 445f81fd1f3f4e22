import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { CurrentUser } from "@/lib/api/types";
import { forgetSession, rememberSession } from "@/lib/session-hint";

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: () => unwrap(api.GET("/api/v1/auth/me")),
  staleTime: 60_000,
});

export function useMe() {
  return useQuery(meQuery);
}

export interface Credentials {
  email: string;
  password: string;
}

export interface Registration extends Credentials {
  username: string;
}

async function login({ email, password }: Credentials): Promise<CurrentUser> {
  const { user } = await unwrap(
    api.POST("/api/v1/auth/login", { body: { email, password, mode: "cookie" } }),
  );
  rememberSession();
  return user;
}

export function useLogin() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: login,
    onSuccess: (user) => {
      queryClient.clear(); // Nothing of whoever was signed in before.
      queryClient.setQueryData(meQuery.queryKey, user);
    },
  });
}

/** Registers and signs in. `hidden` means that the server keeps quiet about whether the account was new. */
export function useRegister() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: async (registration: Registration): Promise<"signed-in" | "hidden"> => {
      const { data, error, response } = await api.POST("/api/v1/auth/register", { body: registration });
      await unwrap(Promise.resolve({ data, error, response }));
      if (response.status === 202) return "hidden";
      const user = await login(registration);
      queryClient.clear();
      queryClient.setQueryData(meQuery.queryKey, user);
      return "signed-in";
    },
  });
}

export function useLogout() {
  return useMutation({
    mutationFn: (everywhere: boolean) => unwrap(api.POST("/api/v1/auth/logout", { body: { everywhere } })),
    // A whole page load leaves no memory of the session behind: caches, socket, component state.
    onSuccess: () => {
      forgetSession();
      window.location.replace(new URL("/login", window.location.origin));
    },
  });
}
