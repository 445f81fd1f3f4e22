import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { CurrentUser } from "@/lib/api/types";
import { forgetSession, rememberSession } from "@/lib/session-hint";
import { forgetStored } from "@/lib/storage";

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

/** The password was right, and a code is asked for. */
export interface Challenge {
  challenge: string;
}

async function login({ email, password }: Credentials): Promise<CurrentUser | Challenge> {
  const answer = await unwrap(api.POST("/api/v1/auth/login", { body: { email, password, mode: "cookie" } }));
  if ("challenge" in answer) return { challenge: answer.challenge };
  rememberSession();
  return answer.user;
}

function isSignedIn(outcome: CurrentUser | Challenge): outcome is CurrentUser {
  return !("challenge" in outcome);
}

/** What to do once somebody is signed in, whichever way. */
export function useSignedIn() {
  const queryClient = useQueryClient();
  return (user: CurrentUser) => {
    queryClient.clear(); // Nothing of whoever was signed in before.
    queryClient.setQueryData(meQuery.queryKey, user);
  };
}

/** The first step of signing in; its result is somebody, or a challenge for `useAnswerChallenge`. */
export function useLogin() {
  const signedIn = useSignedIn();
  return useMutation({
    mutationFn: login,
    onSuccess: (outcome) => {
      if (isSignedIn(outcome)) signedIn(outcome);
    },
  });
}

/** The second step: a code of the authenticator app, or a recovery code. */
export function useAnswerChallenge() {
  const signedIn = useSignedIn();
  return useMutation({
    mutationFn: async ({ challenge, code }: Challenge & { code: string }) => {
      const { user } = await unwrap(
        api.POST("/api/v1/auth/login/second-factor", { body: { challenge, code, mode: "cookie" } }),
      );
      rememberSession();
      return user;
    },
    onSuccess: signedIn,
  });
}

/** `hidden`: the server keeps quiet about whether the account was new. `not-signed-in`: it was, and is made. */
export type Registered =
  { outcome: "signed-in" } | { outcome: "hidden" } | { outcome: "not-signed-in"; because: unknown };

/** Registers and signs in. */
export function useRegister() {
  const signedIn = useSignedIn();
  return useMutation({
    mutationFn: async (registration: Registration): Promise<Registered> => {
      const { data, error, response } = await api.POST("/api/v1/auth/register", { body: registration });
      await unwrap(Promise.resolve({ data, error, response }));
      if (response.status === 202) return { outcome: "hidden" };
      try {
        const user = await login(registration);
        if (isSignedIn(user)) signedIn(user); // A new account has no second factor.
      } catch (because) {
        return { outcome: "not-signed-in", because }; // Registering again would find the address taken.
      }
      return { outcome: "signed-in" };
    },
  });
}

export function useLogout() {
  return useMutation({
    mutationFn: (everywhere: boolean) => unwrap(api.POST("/api/v1/auth/logout", { body: { everywhere } })),
    // A whole page load leaves no memory of the session behind: caches, socket, component state.
    onSuccess: () => {
      forgetSession();
      forgetStored();
      window.location.replace(new URL("/login", window.location.origin));
    },
  });
}
