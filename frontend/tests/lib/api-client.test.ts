import { delay } from "msw";
import { afterEach, describe, expect, it, vi } from "vitest";

import { versionSeen } from "@/lib/api/cache-version";
import { api } from "@/lib/api/client";
import { ApiError, messageOf, unwrap, Unreachable } from "@/lib/api/problem";
import { onSessionEnded } from "@/lib/api/session";
import { forgetSession } from "@/lib/session-hint";

import { http, HttpResponse, problem, server, url } from "../support/server";

const stops: (() => void)[] = [];
afterEach(() => {
  stops.splice(0).forEach((stop) => stop());
  forgetSession();
});

/** A server whose access token has expired until it is refreshed. */
function expiredSession({ refreshStatus = 200 } = {}) {
  const state = { refreshed: 0, valid: false };
  server.use(
    http.get(url("/auth/me"), () =>
      state.valid ? HttpResponse.json({ id: "u-1" }) : problem(401, "token_expired"),
    ),
    http.get(url("/dashboard"), () =>
      state.valid ? HttpResponse.json({ scope: "own" }) : problem(401, "token_expired"),
    ),
    http.post(url("/orders"), async ({ request }) =>
      state.valid ? HttpResponse.json(await request.json(), { status: 201 }) : problem(401, "token_expired"),
    ),
    http.post(url("/auth/refresh"), async ({ request }) => {
      await delay(20);
      state.refreshed += 1;
      if (request.headers.get("x-mobula-csrf") !== "1") return problem(403, "csrf");
      if (refreshStatus !== 200) return problem(refreshStatus, "refresh_invalid");
      state.valid = true;
      return HttpResponse.json({});
    }),
  );
  return state;
}

describe("reading what one wrote", () => {
  it("echoes the newest version of each cache shard, for a while", async () => {
    const asked: (string | null)[] = [];
    const versions = ["0:aaaaaaaa:1,1:bbbbbbbb:4", "0:aaaaaaaa:2"];
    server.use(
      http.get(url("/dashboard"), ({ request }) => {
        asked.push(request.headers.get("cache-version"));
        return HttpResponse.json({ scope: "own" }, { headers: { "Cache-Version": "9:cccccccc:9" } });
      }),
      http.post(url("/orders"), () =>
        HttpResponse.json({}, { status: 201, headers: { "Cache-Version": versions.shift()! } }),
      ),
    );
    const write = () => api.POST("/api/v1/orders", { body: { lines: [{ product_id: "p-1", quantity: 1 }] } });
    await api.GET("/api/v1/dashboard");
    await write();
    await api.GET("/api/v1/dashboard");
    await write();
    await api.GET("/api/v1/dashboard");
    expect(asked).toEqual([null, "0:aaaaaaaa:1,1:bbbbbbbb:4", "0:aaaaaaaa:2,1:bbbbbbbb:4"]);
    expect(versionSeen(Date.now() + 60_000)).toBe("");
  });
});

describe("renewing the session", () => {
  it("sends one refresh for many requests, and every one of them succeeds", async () => {
    const state = expiredSession();
    const [me, dashboard, again] = await Promise.all([
      unwrap(api.GET("/api/v1/auth/me")),
      unwrap(api.GET("/api/v1/dashboard")),
      unwrap(api.GET("/api/v1/auth/me")),
    ]);
    expect(me.id).toBe("u-1");
    expect(dashboard.scope).toBe("own");
    expect(again.id).toBe("u-1");
    expect(state.refreshed).toBe(1);
  });

  it("keeps the hint of the session for as long as the session, and gives up on a server that is silent", async () => {
    const limits = vi.spyOn(AbortSignal, "timeout");
    expiredSession();
    expect(document.cookie).not.toContain("mobula_signed_in");
    await unwrap(api.GET("/api/v1/auth/me"));
    expect(document.cookie).toContain("mobula_signed_in=1");
    expect(limits).toHaveBeenCalledWith(10_000); // Every tab waits for it.
  });

  it("repeats a request with its body", async () => {
    expiredSession();
    const order = await unwrap(
      api.POST("/api/v1/orders", { body: { lines: [{ product_id: "p-1", quantity: 2 }] } }),
    );
    expect(order).toMatchObject({ lines: [{ product_id: "p-1", quantity: 2 }] });
  });

  it("announces the end of the session when the refresh is refused", async () => {
    const state = expiredSession({ refreshStatus: 401 });
    const ended = vi.fn();
    stops.push(onSessionEnded(ended));
    await expect(unwrap(api.GET("/api/v1/auth/me"))).rejects.toMatchObject({
      status: 401,
      code: "token_expired",
    });
    expect(ended).toHaveBeenCalledTimes(1);
    expect(state.refreshed).toBe(1);
  });

  it("does not take a server in trouble for the end of the session", async () => {
    expiredSession({ refreshStatus: 503 });
    const ended = vi.fn();
    stops.push(onSessionEnded(ended));
    await expect(unwrap(api.GET("/api/v1/auth/me"))).rejects.toBeInstanceOf(Unreachable);
    expect(ended).not.toHaveBeenCalled();
  });

  it("does not refresh because a password was wrong", async () => {
    const state = expiredSession();
    server.use(http.post(url("/auth/login"), () => problem(401, "invalid_credentials")));
    const login = unwrap(
      api.POST("/api/v1/auth/login", { body: { email: "a@b.c", password: "x", mode: "cookie" } }),
    );
    await expect(login).rejects.toMatchObject({ code: "invalid_credentials" });
    expect(state.refreshed).toBe(0);
  });

  it("can refresh again later", async () => {
    const state = expiredSession();
    await unwrap(api.GET("/api/v1/auth/me"));
    state.valid = false;
    await unwrap(api.GET("/api/v1/auth/me"));
    expect(state.refreshed).toBe(2);
  });
});

describe("the CSRF header", () => {
  it("is on unsafe requests and not on safe ones", async () => {
    const seen: Record<string, string | null> = {};
    server.use(
      http.get(url("/auth/me"), ({ request }) => {
        seen.get = request.headers.get("x-mobula-csrf");
        return HttpResponse.json({});
      }),
      http.post(url("/realtime/token"), ({ request }) => {
        seen.post = request.headers.get("x-mobula-csrf");
        return HttpResponse.json({});
      }),
    );
    await api.GET("/api/v1/auth/me");
    await api.POST("/api/v1/realtime/token");
    expect(seen).toEqual({ get: null, post: "1" });
  });
});

describe("problems", () => {
  it("carry code, message, request id and the fields they are about", async () => {
    server.use(
      http.post(url("/auth/register"), () =>
        problem(422, "validation_failed", {
          errors: [{ pointer: "#/username", code: "string_too_short", message: "Too short." }],
        }),
      ),
    );
    const body = { email: "a@b.c", username: "a", password: "x" };
    const error = await unwrap(api.POST("/api/v1/auth/register", { body })).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code: "validation_failed",
      requestId: "req-1",
      message: "It failed: validation_failed",
    });
    expect((error as ApiError).fieldErrors.get("username")).toBe("Too short.");
  });

  it.each([
    [401, "Please sign in again."],
    [403, "You are not allowed to do that."],
    [404, "That does not exist, or not any more."],
    [429, "Too many requests. Wait a moment and try again."],
    [503, "The server could not answer. Try again in a moment."],
    [409, "The request was refused."],
  ])("have words of their own when something in between answers %i", (status, message) => {
    const response = new Response("<html>", {
      status,
      headers: { "retry-after": "7", "x-request-id": "r-9" },
    });
    expect(new ApiError(response, undefined)).toMatchObject({
      message,
      code: `http_${status}`,
      requestId: "r-9",
      retryAfter: 7,
    });
  });

  it("are told from a network that is down", () => {
    expect(messageOf(new Unreachable())).toContain("cannot be reached");
    for (const fault of [new TypeError("x is undefined"), new Error("out of paper"), "?"])
      expect(messageOf(fault)).toContain("Something went wrong here.");
  });
});
