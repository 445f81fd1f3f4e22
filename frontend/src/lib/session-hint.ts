/**
 * A cookie that says "somebody signed in here", and nothing else. The tokens' own cookies are no sign of that: the
 * access token's is gone after minutes, the refresh token's is sent to the API's sign-in addresses only. Forging it
 * gains an empty page.
 */
export const SESSION_HINT = "mobula_signed_in";

const MAX_AGE_S = 30 * 24 * 60 * 60;

export function rememberSession(): void {
  document.cookie = `${SESSION_HINT}=1; path=/; max-age=${MAX_AGE_S}; samesite=lax`;
}

export function forgetSession(): void {
  document.cookie = `${SESSION_HINT}=; path=/; max-age=0; samesite=lax`;
}
