import { type NextRequest, NextResponse } from "next/server";

import { contentSecurityPolicy } from "@/lib/csp";
import { isPrivate, loginPath } from "@/lib/paths";
import { isApiPath, upstreamHeaders, upstreamUrl } from "@/lib/proxy/upstream";
import { SESSION_HINT } from "@/lib/session-hint";

/** Any will do: the access token's cookie may have expired while the session can still be renewed. */
const SESSION_COOKIES = [
  "mobula_access",
  "__Host-mobula_access",
  "mobula_refresh",
  "__Host-mobula_refresh",
  SESSION_HINT,
];

/**
 * Passes what is the API's on to it (Next streams both ways: downloads with Range and several cookies come through),
 * gives every page its Content-Security-Policy and saves signed-out visitors a detour. No security boundary: a forged
 * cookie gets an empty shell, and the API refuses to fill it.
 */
export function proxy(request: NextRequest): NextResponse {
  const { pathname, search } = request.nextUrl;
  if (isApiPath(pathname)) {
    const upstream = upstreamUrl(pathname, search);
    return NextResponse.rewrite(upstream, {
      request: { headers: upstreamHeaders(request.headers, upstream) },
    });
  }
  if (isPrivate(pathname) && !SESSION_COOKIES.some((name) => request.cookies.has(name))) {
    return NextResponse.redirect(new URL(loginPath(`${pathname}${search}`), request.nextUrl));
  }

  const nonce = crypto.randomUUID().replaceAll("-", "");
  const policy = contentSecurityPolicy({
    nonce,
    development: process.env.NODE_ENV === "development",
    realtimeUrl: process.env.REALTIME_PUBLIC_URL,
  });
  const headers = new Headers(request.headers);
  headers.set("x-nonce", nonce);
  headers.set("Content-Security-Policy", policy); // Next reads the nonce from here and puts it on its own scripts.
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Content-Security-Policy", policy);
  return response;
}

export const config = {
  matcher: [
    { source: "/(api|docs|problems|health|.well-known|connection)/:path*" },
    { source: "/(docs|health|openapi.json)" },
    {
      source: "/((?!api/|_next/static|_next/image|.*\\.(?:svg|png|ico|txt)$).*)",
      missing: [
        { type: "header", key: "next-router-prefetch" },
        { type: "header", key: "purpose", value: "prefetch" },
      ],
    },
  ],
};
