import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";

const FORWARDED = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
];

/**
 * Drops X-Forwarded-* that a visitor made up, before Next reads them and fills in the real address. The API believes
 * what we pass on, and limits requests per address: without this, a new header would be a new visitor.
 */
export function distrustForwardedHeaders(): void {
  diagnostics.subscribe("http.server.request.start", (message) => {
    const { request } = message as { request: IncomingMessage };
    for (const name of FORWARDED) delete request.headers[name];
  });
}
