import createClient from "openapi-fetch";

import type { paths } from "./schema.gen";
import { announceSessionEnded, renewSession } from "./session";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Here 401 is the answer (wrong password, dead refresh token), not a reason to renew and try again. */
const NEVER_RENEWED = [
  "/api/v1/auth/login",
  "/api/v1/auth/register",
  "/api/v1/auth/refresh",
  "/api/v1/auth/logout",
];

/** fetch, with the CSRF header where it is needed, and one silent renewal when the access token has expired. */
export async function sessionFetch(request: Request): Promise<Response> {
  const prepared = SAFE_METHODS.has(request.method) ? request : withCsrfHeader(request);
  const again = prepared.clone();
  const response = await fetch(prepared);
  if (response.status !== 401 || NEVER_RENEWED.includes(new URL(request.url).pathname)) return response;
  if (await renewSession()) return fetch(again);
  announceSessionEnded();
  return response;
}

/** A form of another site cannot set a header of its own: its presence proves that our script asked. */
function withCsrfHeader(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set("X-Mobula-CSRF", "1");
  return new Request(request, { headers });
}

export const api = createClient<paths>({
  baseUrl: typeof window === "undefined" ? "" : window.location.origin,
  credentials: "same-origin",
  fetch: sessionFetch,
});
