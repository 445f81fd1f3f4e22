import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { CurrentUser, Passkey } from "@/lib/api/types";
import { rememberSession } from "@/lib/session-hint";

import { type askForPasskey, createPasskey, forgetPasskey } from "../webauthn";
import type { Proof } from "./second-factor";

export const passkeysQuery = queryOptions({
  queryKey: ["auth", "passkeys"],
  queryFn: () => unwrap(api.GET("/api/v1/auth/passkeys")),
});

export function usePasskeys() {
  return useQuery(passkeysQuery);
}

function useRefetchPasskeys() {
  const queryClient = useQueryClient();
  return () => queryClient.invalidateQueries({ queryKey: passkeysQuery.queryKey });
}

/** The code is left out where there is no second factor. */
function bodyOf({ current_password, code }: Proof) {
  return code ? { current_password, code } : { current_password };
}

/** What to ask an authenticator for, given proof of who asks. */
export function useBeginPasskey() {
  return useMutation({
    gcTime: 0,
    mutationFn: async (proof: Proof) =>
      (await unwrap(api.POST("/api/v1/auth/passkeys/options", { body: bodyOf(proof) }))).options,
  });
}

/** Asks the authenticator, and keeps what it made. */
export function useAddPasskey() {
  const refetch = useRefetchPasskeys();
  return useMutation({
    mutationFn: async ({ options, name }: { options: Record<string, unknown>; name: string }) => {
      const credential = await createPasskey(options);
      return unwrap(api.POST("/api/v1/auth/passkeys", { body: { name, credential } }));
    },
    onSettled: refetch, // also when the answer was lost on its way
  });
}

export function useRenamePasskey(id: string) {
  const refetch = useRefetchPasskeys();
  return useMutation({
    mutationFn: (name: string) =>
      unwrap(
        api.PATCH("/api/v1/auth/passkeys/{passkey_id}", {
          params: { path: { passkey_id: id } },
          body: { name },
        }),
      ),
    onSettled: refetch,
  });
}

export function useRemovePasskey(passkey: Passkey, rpId: string) {
  const refetch = useRefetchPasskeys();
  return useMutation({
    mutationFn: (proof: Proof) =>
      unwrap(
        api.POST("/api/v1/auth/passkeys/{passkey_id}/remove", {
          params: { path: { passkey_id: passkey.id } },
          body: bodyOf(proof),
        }),
      ),
    onSuccess: () => {
      void forgetPasskey(rpId, passkey.credential_id);
      return refetch();
    },
  });
}

/** What to ask for when somebody signs in, and for how many seconds an answer is good. */
export function beginPasskeyLogin() {
  return unwrap(api.POST("/api/v1/auth/login/passkey/options"));
}

export type PasskeyAnswer = Awaited<ReturnType<typeof askForPasskey>>;

export async function finishPasskeyLogin(credential: PasskeyAnswer): Promise<CurrentUser> {
  const { user } = await unwrap(
    api.POST("/api/v1/auth/login/passkey", { body: { credential, mode: "cookie" } }),
  );
  rememberSession();
  return user;
}
