import type { NextConfig } from "next";

const NO_SNIFFING = { key: "X-Content-Type-Options", value: "nosniff" };

/**
 * Sent with every page. The Content-Security-Policy carries a nonce and is set per request in `src/proxy.ts`;
 * Strict-Transport-Security depends on where it runs (`src/instrumentation.ts`).
 */
const SECURITY_HEADERS = [
  NO_SNIFFING,
  { key: "Referrer-Policy", value: "strict-origin-when-cross-origin" },
  { key: "X-Frame-Options", value: "DENY" },
  { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
  {
    key: "Permissions-Policy",
    value: "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
  },
];

/** What the API answers is passed on untouched: it has security headers of its own. */
const PAGES = "/((?!api/|docs|openapi.json|problems/|health|.well-known/|connection/|_next/).*)";

const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
  poweredByHeader: false,
  reactStrictMode: true,
  // `npm run typecheck` (part of every check) does this; whoever starts the product need not wait for it.
  typescript: { ignoreBuildErrors: true },
  // A link to the API has its own trailing slashes; Next would redirect them before the API is asked.
  skipTrailingSlashRedirect: true,
  experimental: {
    // Event streams and long polls are quiet for longer than the default 30 s.
    proxyTimeout: 10 * 60_000,
  },
  headers: async () => [
    { source: PAGES, headers: SECURITY_HEADERS },
    { source: "/_next/:path*", headers: [NO_SNIFFING] },
  ],
};

export default config;
