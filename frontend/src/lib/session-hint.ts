import { tellOtherTabs } from "./session-news";

/**
 * A cookie that says "somebody signed in here", and nothing else. The tokens' own cookies are no sign of that: the
 * access token's is gone after minutes, the refresh token's is sent to the API's sign-in addresses only. Forging it
 * gains an empty page.
 */
export const SESSION_HINT = "mobula_signed_in";

const MAX_AGE_S = 30 * 24 * 60 * 60;

export function rememberSession(): void {
  document.cookie = `${SESSION_HINT}=1; path=/; max-age=${MAX_AGE_S}; samesite=lax`;
  tellOtherTabs();
}

export function forgetSession(): void {
  // The other tabs forget too, and are told once, not by each in turn.
  const remembered = document.cookie.split("; ").includes(`${SESSION_HINT}=1`);
  document.cookie = `${SESSION_HINT}=; path=/; max-age=0; samesite=lax`;
  if (remembered) tellOtherTabs();
}
