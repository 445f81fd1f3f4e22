"use client";

import { browserSupportsWebAuthnAutofill, WebAuthnAbortService } from "@simplewebauthn/browser";
import { useEffect, useEffectEvent, useState } from "react";

import { beginPasskeyLogin, finishPasskeyLogin, type PasskeyAnswer } from "../api/passkeys";
import { useSignedIn } from "../api/session";
import { Abandoned, askForPasskey, usePasskeysSupported } from "../webauthn";

/** So long before a challenge is void it is replaced, for pages that are left open. */
const MARGIN_S = 30;

/**
 * Signing in with a passkey: when the button is pressed (`ask`), or when one is chosen of those that the browser offers
 * below the field for the address.
 */
export function usePasskeyLogin(onSignedIn: () => void) {
  const supported = usePasskeysSupported();
  const signedIn = useSignedIn();
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [failures, setFailures] = useState(0);

  /** Pending until it fails: who is signed in leaves the page. */
  async function conclude(answer: () => Promise<PasskeyAnswer>) {
    setPending(true);
    setError(null);
    try {
      signedIn(await finishPasskeyLogin(await answer()));
      onSignedIn();
    } catch (thrown) {
      setPending(false);
      setFailures((count) => count + 1);
      if (!(thrown instanceof Abandoned)) setError(thrown);
    }
  }

  const choose = useEffectEvent((answer: PasskeyAnswer) => conclude(() => Promise.resolve(answer)));

  useEffect(() => {
    if (!supported || pending) return;
    let over = false;
    let renewal: ReturnType<typeof setTimeout> | undefined;

    async function offer() {
      const { options, expires_in } = await beginPasskeyLogin();
      if (over) return;
      renewal = setTimeout(() => void offer().catch(leave), (expires_in - MARGIN_S) * 1_000);
      const answer = await askForPasskey(options, { autofill: true });
      if (!over) await choose(answer);
    }

    void browserSupportsWebAuthnAutofill()
      .then((can) => (can && !over ? offer() : undefined))
      .catch(leave);
    return () => {
      over = true;
      clearTimeout(renewal);
      WebAuthnAbortService.cancelCeremony();
    };
    // Each failure has ended what was offered, also one so quick that nobody saw it pending.
  }, [supported, pending, failures]);

  return {
    supported,
    pending,
    error,
    ask: () =>
      conclude(async () => {
        const { options } = await beginPasskeyLogin();
        return askForPasskey(options);
      }),
    forget: () => setError(null),
  };
}

/** Nobody asked for what the browser offers by itself, so nobody is told that it does not. */
function leave() {}
