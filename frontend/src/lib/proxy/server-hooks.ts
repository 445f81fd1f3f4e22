import diagnostics from "node:diagnostics_channel";
import http, { type IncomingMessage, type ServerResponse } from "node:http";

const FORWARDED = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
];

/** Tells visitors where the API is inside. */
const INTERNAL = "x-middleware-rewrite";

interface RequestStart {
  request: Pick<IncomingMessage, "headers">;
  response: Pick<ServerResponse, "setHeader">;
}

/** As the API sends it (`serve_app/middleware/security_headers.py`); without TLS, browsers take no notice of it. */
const STRICT_TRANSPORT = ["Strict-Transport-Security", "max-age=63072000; includeSubDomains"] as const;

interface Watching {
  /** Whether a proxy in front of us sets X-Forwarded-*. */
  trustProxy: boolean;
  /** Whether browsers shall come by TLS only. */
  strictTransport: boolean;
}

/**
 * Runs before Next sees a request. Drops X-Forwarded-* that a visitor made up (unless a proxy in front of us sets
 * them), so that Next fills in the real address: the API believes what we pass on, and limits requests per address.
 * Keeps the address of the API out of what visitors get to see.
 */
export function watchRequests({ trustProxy, strictTransport }: Watching): void {
  diagnostics.subscribe("http.server.request.start", (message) => {
    const { request, response } = message as RequestStart;
    if (!trustProxy) for (const name of FORWARDED) delete request.headers[name];
    if (strictTransport) response.setHeader(...STRICT_TRANSPORT);
    const setHeader = response.setHeader.bind(response);
    response.setHeader = (name, value) =>
      name.toLowerCase() === INTERNAL ? (response as ServerResponse) : setHeader(name, value);
  });
}

/**
 * A connection to the API that was idle may be closed by the other side just as it is used again: the request fails
 * with ECONNRESET although nothing is wrong (seen on a busy machine). A new connection is cheaper than that.
 */
export function neverReuseConnections(): void {
  http.Agent.prototype.keepSocketAlive = () => false;
}
