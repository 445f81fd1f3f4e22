import createClient from "openapi-fetch";

import type { paths } from "./schema.gen";
import { rememberVersion, versionSeen } from "./cache-version";
import { announceSessionEnded, renewSession } from "./session";
import { reach } from "./reach";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Here 401 is the answer (wrong password, code or passkey, dead refresh token), not a reason to renew and try again. */
const NEVER_RENEWED = [
  "/api/v1/auth/login",
  "/api/v1/auth/login/second-factor",
  "/api/v1/auth/login/passkey",
  "/api/v1/auth/register",
  "/api/v1/auth/refresh",
  "/api/v1/auth/logout",
];

/** fetch, with the CSRF header where it is needed, and one silent renewal when the access token has expired. */
export async function sessionFetch(request: Request): Promise<Response> {
  const safe = SAFE_METHODS.has(request.method);
  const prepared = safe ? withCacheVersion(request) : withHeader(request, "X-Mobula-CSRF", "1");
  const again = prepared.clone();
  const response = await reach(prepared);
  if (!safe) rememberVersion(response.headers.get("Cache-Version"));
  if (response.status !== 401 || NEVER_RENEWED.includes(new URL(request.url).pathname)) return response;
  if (await renewSession()) {
    const second = await reach(again);
    if (!safe) rememberVersion(second.headers.get("Cache-Version"));
    return second;
  }
  announceSessionEnded();
  return response;
}

/** Who has just written reads what it wrote, whichever replica answers. */
function withCacheVersion(request: Request): Request {
  const version = versionSeen();
  return version ? withHeader(request, "Cache-Version", version) : request;
}

/** A form of another site cannot set a header of its own: the CSRF header's presence proves that our script asked. */
function withHeader(request: Request, name: string, value: string): Request {
  const headers = new Headers(request.headers);
  headers.set(name, value);
  return new Request(request, { headers });
}

export const api = createClient<paths>({
  baseUrl: typeof window === "undefined" ? "" : window.location.origin,
  credentials: "same-origin",
  fetch: sessionFetch,
});
