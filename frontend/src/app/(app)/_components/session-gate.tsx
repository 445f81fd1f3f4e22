"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type ReactNode, useEffect, useEffectEvent } from "react";

import { ErrorState, OfflineState } from "@/components/ui/error-state";
import { LogoMark } from "@/components/ui/logo";
import { toast } from "@/components/ui/toast";
import { meQuery, useMe } from "@/features/auth/api/session";
import { ApiError } from "@/lib/api/problem";
import { onSessionEnded } from "@/lib/api/session";
import { CurrentUserProvider } from "@/lib/current-user";
import { isPrivate, loginPath } from "@/lib/paths";
import { forgetSession } from "@/lib/session-hint";
import { RealtimeProvider } from "@/lib/realtime/provider";

import { useOnePerson } from "./use-one-person";

/** Shows the app to whoever the API says is signed in, and everyone else the way to the sign-in page. */
export function SessionGate({ children }: { children: ReactNode }) {
  const me = useMe();
  const router = useRouter();
  const queryClient = useQueryClient();
  const signedOut = me.error instanceof ApiError && me.error.status === 401;
  useOnePerson(me.data, signedOut);

  // Asked of the address itself, so that signing in leads back to the very page, with its filters.
  const leave = useEffectEvent(() => {
    const { pathname, search } = window.location;
    forgetSession();
    if (isPrivate(pathname)) router.replace(loginPath(`${pathname}${search}`));
  });
  useEffect(() => onSessionEnded(() => leave()), []);
  useEffect(() => {
    if (signedOut) leave();
  }, [signedOut]);

  // What is known of whoever was signed in stays in the cache; it is no longer theirs to see.
  if (me.data && !signedOut) {
    return (
      <CurrentUserProvider user={me.data}>
        {/* One socket per person: signing in as somebody else opens another. */}
        <RealtimeProvider
          key={me.data.id}
          onTerminated={() => {
            // The session may have been revoked elsewhere. Asking who we are settles it: a 401 leads to sign-in.
            void queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
            toast.info("Live updates stopped", "The server closed the connection.");
          }}
        >
          {children}
        </RealtimeProvider>
      </CurrentUserProvider>
    );
  }
  if (me.error && !signedOut) {
    return (
      <main id="main" className="grid min-h-dvh place-items-center">
        <ErrorState title="Mobula cannot be reached" error={me.error} onRetry={() => void me.refetch()} />
      </main>
    );
  }
  if (me.fetchStatus === "paused") {
    return (
      <main id="main" className="grid min-h-dvh place-items-center">
        <OfflineState />
      </main>
    );
  }
  return (
    <main id="main" className="grid min-h-dvh place-items-center" role="status" aria-busy="true">
      <span className="sr-only">Loading</span>
      <LogoMark className="size-12 animate-shimmer text-primary" />
    </main>
  );
}
