import { tellOtherTabs } from "./session-news";

/**
 * A cookie that says "somebody signed in here", and nothing else. The tokens' own cookies are no such sign to scripts,
 * which cannot read them; and whoever comes by a link on another site brings no refresh token (SameSite=strict), while
 * the access token's is gone after minutes. Forging it gains an empty page.
 */
export const SESSION_HINT = "mobula_signed_in";

const MAX_AGE_S = 30 * 24 * 60 * 60;

export function rememberSession(): void {
  renewHint();
  tellOtherTabs();
}

/** Safari keeps what a script sets for seven days; so it is set again with every renewal of the session. */
export function renewHint(): void {
  document.cookie = `${SESSION_HINT}=1; path=/; max-age=${MAX_AGE_S}; samesite=lax`;
}

export function forgetSession(): void {
  // The other tabs forget too, and are told once, not by each in turn.
  const remembered = document.cookie.split("; ").includes(`${SESSION_HINT}=1`);
  document.cookie = `${SESSION_HINT}=; path=/; max-age=0; samesite=lax`;
  if (remembered) tellOtherTabs();
}
