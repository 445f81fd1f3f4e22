interface CspOptions {
  nonce: string;
  development: boolean;
  /** WebSocket address that the API hands to browsers; unknown to Next unless it is told. */
  realtimeUrl: string | undefined;
}

/** The Content-Security-Policy of one page view. Scripts run by nonce only; of elsewhere, only pictures of products are shown. */
export function contentSecurityPolicy({ nonce, development, realtimeUrl }: CspOptions): string {
  const directives: Record<string, string[]> = {
    "default-src": ["'self'"],
    "script-src": [
      "'self'",
      `'nonce-${nonce}'`,
      "'strict-dynamic'",
      ...(development ? ["'unsafe-eval'"] : []),
    ],
    // Positions and progress bars are style attributes, which no nonce covers; style elements need theirs.
    "style-src": ["'self'", "'unsafe-inline'"],
    "style-src-elem": ["'self'", development ? "'unsafe-inline'" : `'nonce-${nonce}'`],
    "img-src": ["'self'", "blob:", "data:", "https:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'", ...socketSources(realtimeUrl)],
    "object-src": ["'none'"],
    "base-uri": ["'self'"],
    "form-action": ["'self'"],
    "frame-src": ["'self'"],
    "frame-ancestors": ["'none'"],
  };
  return Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources.join(" ")}`)
    .join("; ");
}

function socketSources(realtimeUrl: string | undefined): string[] {
  if (!realtimeUrl) return ["ws:", "wss:"];
  const { protocol, host } = new URL(realtimeUrl);
  return [`${protocol}//${host}`];
}
