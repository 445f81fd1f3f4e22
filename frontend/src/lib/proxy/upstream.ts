/** What the API answers itself, under the address that people know: one origin, first-party cookies, no CORS. */
const API_PATHS =
  /^\/(api|docs|problems|health|\.well-known)(\/|$)|^\/openapi\.json$|^\/connection\/(http_stream|sse|emulation)$/;

const FRONTEND_HEADER = "x-mobula-frontend";

export function isApiPath(pathname: string): boolean {
  return API_PATHS.test(pathname);
}

/** Where a request of the API's goes. The origin is read at each request, so that one build serves any API. */
export function upstreamUrl(pathname: string, search: string): URL {
  const url = new URL(process.env.MOBULA_API_ORIGIN || "http://127.0.0.1:8000");
  url.pathname = pathname; // Assigned, not resolved: a path can never become a host.
  url.search = search;
  return url;
}

/**
 * The visitor's headers as the API should see them. Next sets Host to the API's own; an Origin that was ours must
 * then become the API's own as well, or its check against forged requests would take us for a foreign site.
 */
export function upstreamHeaders(given: Headers, upstream: URL): Headers {
  const headers = new Headers(given);
  const origin = given.get("origin");
  const host = given.get("x-forwarded-host") ?? given.get("host");
  headers.set("x-forwarded-proto", given.get("x-forwarded-proto")?.split(",")[0] ?? "http");
  // Proves that it is we who name the visitor's address; a visitor's own header of this name goes no further.
  const token = process.env.FRONTEND_TOKEN;
  if (token) headers.set(FRONTEND_HEADER, token);
  else headers.delete(FRONTEND_HEADER);
  if (origin && host && hostOf(origin) === host) headers.set("origin", upstream.origin);
  return headers;
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
