import {
  browserSupportsWebAuthn,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  sendSignal,
  startAuthentication,
  startRegistration,
  WebAuthnError,
} from "@simplewebauthn/browser";
import { useSyncExternalStore } from "react";

import { Explained } from "@/lib/api/problem";

/** What the API calls options: JSON of WebAuthn, which it has not typed. */
type Options = Record<string, unknown>;

const ADDRESS = /^[\d.]+$|:/;

/** Browsers keep passkeys for names, not for addresses, and only where nobody listens (TLS, or this machine). */
function supportsPasskeys(): boolean {
  return browserSupportsWebAuthn() && !ADDRESS.test(window.location.hostname);
}

const never = () => () => undefined;

/** Whether passkeys work here. Nearly everywhere they do, so that is what pages say before the browser is asked. */
export function usePasskeysSupported(): boolean {
  return useSyncExternalStore(never, supportsPasskeys, () => true);
}

/** Asks an authenticator for a new key. Throws Explained, and `Abandoned`. */
export function createPasskey(options: Options) {
  return explained(
    startRegistration({ optionsJSON: options as unknown as PublicKeyCredentialCreationOptionsJSON }),
    "No passkey was created. You can try again.",
  );
}

/** Asks for any passkey of this site; `autofill`: among what the browser offers below the field, for as long as it takes. */
export function askForPasskey(options: Options, { autofill = false } = {}) {
  return explained(
    startAuthentication({
      optionsJSON: options as unknown as PublicKeyCredentialRequestOptionsJSON,
      useBrowserAutofill: autofill,
    }),
    "No passkey was used. Try again, or sign in with your password.",
  );
}

/** Tells the browser that this passkey signs nobody in any more, so that it stops offering it. */
export async function forgetPasskey(rpID: string, credentialID: string): Promise<void> {
  // Not every browser can be told, and none says what came of it.
  await sendSignal({ signalName: "unknownCredential", rpID, credentialID }).catch(() => undefined);
}

/** The browser was told to stop asking, by us: there is nobody to tell. */
export class Abandoned extends Error {
  override readonly name = "Abandoned";
}

/** What came of asking; what browsers throw is for programmers. `declined`: what to say when somebody said no. */
async function explained<T>(ceremony: Promise<T>, declined: string): Promise<T> {
  try {
    return await ceremony;
  } catch (thrown) {
    const code = thrown instanceof WebAuthnError ? thrown.code : null;
    if (code === "ERROR_CEREMONY_ABORTED") throw new Abandoned();
    if (code === "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED") {
      throw new Explained("This device has a passkey of this account already.", { cause: thrown });
    }
    if (code === "ERROR_INVALID_DOMAIN" || code === "ERROR_INVALID_RP_ID") {
      throw new Explained("Passkeys do not work at this address. Open the site at its own.", {
        cause: thrown,
      });
    }
    throw new Explained(declined, { cause: thrown });
  }
}
