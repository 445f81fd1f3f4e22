// @vitest-environment node
import diagnostics from "node:diagnostics_channel";
import http from "node:http";
import type { AddressInfo } from "node:net";

import { NextRequest } from "next/server";
import { afterEach, describe, expect, it, vi } from "vitest";

import { contentSecurityPolicy } from "@/lib/csp";
import { neverReuseConnections, watchRequests } from "@/lib/proxy/server-hooks";
import { isApiPath, upstreamHeaders, upstreamUrl } from "@/lib/proxy/upstream";
import { proxy } from "@/proxy";

afterEach(() => vi.unstubAllEnvs());

describe("what is the API's", () => {
  it.each([
    "/api/v1/orders",
    "/docs",
    "/docs/swagger.css",
    "/openapi.json",
    "/problems/not_found",
    "/health/ready",
    "/connection/http_stream",
    "/connection/sse",
    "/connection/emulation",
  ])("%s is passed on", (path) => expect(isApiPath(path)).toBe(true));

  it.each(["/", "/apiary", "/docsy", "/orders", "/openapi.jsonx", "/metrics", "/connection/health"])(
    "%s is not",
    (path) => {
      expect(isApiPath(path)).toBe(false);
    },
  );

  it("goes to the origin that the environment names at that moment", () => {
    expect(upstreamUrl("/api/v1/me", "?a=1").href).toBe("http://127.0.0.1:8000/api/v1/me?a=1");
    vi.stubEnv("MOBULA_API_ORIGIN", "https://api.example");
    expect(upstreamUrl("//evil.example/api", "").host).toBe("api.example");
    const response = proxy(new NextRequest("http://shop.test/api/v1/me?a=1"));
    expect(response.headers.get("x-middleware-rewrite")).toBe("https://api.example/api/v1/me?a=1");
  });
});

describe("upstreamHeaders", () => {
  const upstream = new URL("http://127.0.0.1:8000");
  const given = (origin: string) => new Headers({ host: "shop.test:3000", origin, "x-mobula-csrf": "1" });

  it("makes an origin of ours the API's own", () => {
    const headers = upstreamHeaders(given("http://shop.test:3000"), upstream);
    expect(headers.get("origin")).toBe("http://127.0.0.1:8000");
    expect(headers.get("x-mobula-csrf")).toBe("1");
    expect(headers.get("x-forwarded-proto")).toBe("http");
  });

  it.each(["http://evil.example", "http://shop.test", "null", ""])(
    "leaves the foreign origin %j as it is",
    (origin) => {
      expect(upstreamHeaders(given(origin), upstream).get("origin")).toBe(origin);
    },
  );

  it("proves who names the visitor's address, and passes nobody else's proof on", () => {
    const forged = new Headers({ host: "shop.test", "x-mobula-frontend": "guess" });
    expect(upstreamHeaders(forged, upstream).has("x-mobula-frontend")).toBe(false);
    vi.stubEnv("FRONTEND_TOKEN", "s3cret");
    expect(upstreamHeaders(forged, upstream).get("x-mobula-frontend")).toBe("s3cret");
  });

  it("sends none where there was none", () => {
    expect(upstreamHeaders(new Headers({ host: "shop.test" }), upstream).has("origin")).toBe(false);
  });
});

describe("the server's hooks", () => {
  const start = () => {
    const sent: Record<string, unknown> = {};
    const request = { headers: { "x-forwarded-for": "6.6.6.6", forwarded: "for=6.6.6.6", accept: "*/*" } };
    const response = { setHeader: (name: string, value: unknown) => void (sent[name] = value) };
    diagnostics.channel("http.server.request.start").publish({ request, response });
    response.setHeader("x-middleware-rewrite", "http://inside:8000/api");
    response.setHeader("content-type", "text/html");
    return { request, sent };
  };

  it("believe a proxy in front when told to, and never show where the API is", () => {
    watchRequests({ trustProxy: true, strictTransport: false });
    const { request, sent } = start();
    expect(request.headers["x-forwarded-for"]).toBe("6.6.6.6");
    expect(sent).toEqual({ "content-type": "text/html" });
  });

  it("drop addresses that a visitor made up", () => {
    watchRequests({ trustProxy: false, strictTransport: false });
    expect(start().request.headers).toEqual({ accept: "*/*" });
  });

  it("have browsers come by TLS where the API has them, whatever they ask for", () => {
    expect(start().sent).not.toHaveProperty("Strict-Transport-Security");
    watchRequests({ trustProxy: false, strictTransport: true });
    expect(start().sent).toMatchObject({
      "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
      "content-type": "text/html",
    });
  });

  it("open a connection for each request to the API", async () => {
    const sockets = new Set<unknown>();
    const api = http.createServer((request, response) => {
      sockets.add(request.socket);
      response.end();
    });
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    const { port } = api.address() as AddressInfo;
    const agent = new http.Agent({ keepAlive: true });
    const ask = () =>
      new Promise<void>((resolve, reject) => {
        http
          .get({ port, host: "127.0.0.1", agent }, (answer) => answer.resume().on("close", resolve))
          .on("error", reject);
      });
    await ask();
    await ask();
    expect(sockets.size).toBe(1);
    neverReuseConnections();
    await ask();
    await ask();
    expect(sockets.size).toBe(2);
    agent.destroy();
    api.closeAllConnections();
    await new Promise((resolve) => api.close(resolve));
  });
});

describe("proxy", () => {
  afterEach(() => vi.unstubAllEnvs());

  const visit = (path: string, cookie = "") =>
    proxy(new NextRequest(`http://shop.test${path}`, { headers: cookie ? { cookie } : {} }));

  it("sends signed-out visitors of private pages to sign in, and back afterwards", () => {
    const response = visit("/orders?page=2");
    expect(response.status).toBe(307);
    expect(response.headers.get("location")).toBe("http://shop.test/login?next=%2Forders%3Fpage%3D2");
  });

  it.each([
    "mobula_access=x",
    "__Host-mobula_access=x",
    "mobula_refresh=x",
    "__Host-mobula_refresh=x",
    "mobula_signed_in=1",
  ])("lets %s through", (cookie) => {
    expect(visit("/orders", cookie).status).toBe(200);
  });

  it("gives every page a nonce of its own", () => {
    const [first, second] = [visit("/"), visit("/")].map(({ headers }) =>
      headers.get("content-security-policy"),
    );
    expect(first).toMatch(/script-src 'self' 'nonce-[0-9a-f]{32}' 'strict-dynamic'/);
    expect(first).not.toBe(second);
    expect(first).not.toContain("unsafe-eval");
  });
});

describe("contentSecurityPolicy", () => {
  it("narrows connections to the socket it is told of", () => {
    const policy = contentSecurityPolicy({
      nonce: "n",
      development: false,
      realtimeUrl: "wss://rt.example:8443/connection/websocket",
    });
    expect(policy).toContain("connect-src 'self' wss://rt.example:8443;");
    const open = contentSecurityPolicy({ nonce: "n", development: true, realtimeUrl: undefined });
    expect(open).toContain("connect-src 'self' ws: wss:;");
    expect(open).toContain("'unsafe-eval'");
  });
});
