import http from "node:http";
import https from "node:https";
import { Readable } from "node:stream";

/** Headers that belong to one hop of the way, not to the message (RFC 9110 §7.6.1). */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

const BODILESS = new Set([101, 204, 205, 304]);

const agents = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 256 }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 256 }),
};

/** Read at each request, so that one build serves any API. */
function apiOrigin(): URL {
  return new URL(process.env.MOBULA_API_ORIGIN || "http://127.0.0.1:8000");
}

/**
 * Passes a request to the API and its answer back, both as streams, byte for byte: downloads with Range, several
 * Set-Cookie, compressed bodies and event streams come through as they are. (fetch would decompress and fold.)
 */
export async function forward(request: Request): Promise<Response> {
  const origin = apiOrigin();
  const { pathname, search, host, protocol } = new URL(request.url);
  const transport = origin.protocol === "https:" ? https : http;

  return new Promise((resolve) => {
    const outgoing = transport.request({
      protocol: origin.protocol,
      hostname: origin.hostname,
      port: origin.port,
      method: request.method,
      path: `${pathname}${search}`,
      agent: agents[origin.protocol as keyof typeof agents],
      headers: requestHeaders(request.headers, origin, host, protocol),
      signal: request.signal,
    });
    outgoing.on("response", (incoming) => resolve(toResponse(incoming)));
    outgoing.on("error", (error) => resolve(unreachable(error, pathname)));
    if (request.body) {
      Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0])
        .on("error", (error) => outgoing.destroy(error))
        .pipe(outgoing);
    } else {
      outgoing.end();
    }
  });
}

export function requestHeaders(
  given: Headers,
  origin: URL,
  host: string,
  protocol: string,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of given) {
    if (!HOP_BY_HOP.has(name) && !name.startsWith("x-middleware-") && !name.startsWith("x-invoke-")) {
      headers[name] = value;
    }
  }
  // The visitor's Host, so that the API recognises its own origin; over TLS the name must be the certificate's.
  headers.host = origin.protocol === "https:" ? origin.host : (given.get("host") ?? host);
  headers["x-forwarded-host"] = given.get("x-forwarded-host") ?? given.get("host") ?? host;
  headers["x-forwarded-proto"] = given.get("x-forwarded-proto") ?? protocol.replace(":", "");
  return headers;
}

function toResponse(incoming: http.IncomingMessage): Response {
  const headers = new Headers();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index] as string;
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.append(name, incoming.rawHeaders[index + 1] as string);
  }
  keepBytes(headers, incoming.statusCode ?? 502);
  const status = incoming.statusCode ?? 502;
  if (BODILESS.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(incoming) as ReadableStream, {
    status,
    statusText: incoming.statusMessage,
    headers,
  });
}

/** Next compresses what it can. A part of a file must keep its bytes, and an event stream must not be held back. */
export function keepBytes(headers: Headers, status: number): void {
  const type = headers.get("content-type") ?? "";
  if (status !== 206 && !headers.has("content-disposition") && !type.startsWith("text/event-stream")) return;
  const present = headers.get("cache-control");
  if (!present?.includes("no-transform")) {
    headers.set("cache-control", present ? `${present}, no-transform` : "no-transform");
  }
}

function unreachable(error: Error, instance: string): Response {
  const problem = {
    type: "/problems/api_unreachable",
    title: "The API cannot be reached",
    status: 502,
    detail: "The server is not answering right now. Try again in a moment.",
    instance,
    code: "api_unreachable",
    request_id: crypto.randomUUID(),
  };
  process.stderr.write(
    `${JSON.stringify({ level: "error", event: "api_unreachable", error: error.message, ...problem })}\n`,
  );
  return Response.json(problem, { status: 502, headers: { "content-type": "application/problem+json" } });
}
