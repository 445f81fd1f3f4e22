import { onlineManager } from "@tanstack/react-query";
import { delay } from "msw";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError, messageOf, Unreachable, unwrap } from "@/lib/api/problem";
import { createQueryClient, retryDelay, shouldRetry } from "@/lib/api/query-client";
import { reach } from "@/lib/api/reach";

import { http, HttpResponse, server, url } from "../support/server";

const answer = (status: number, retryAfter?: number) =>
  new ApiError(
    new Response(null, { status, headers: retryAfter ? { "retry-after": String(retryAfter) } : {} }),
    undefined,
  );

describe("asking again", () => {
  it("is for what could not be answered, and for what the server asked to bring again soon", () => {
    expect([400, 401, 403, 404, 409].map((status) => shouldRetry(0, answer(status)))).not.toContain(true);
    expect([500, 503, 429].map((status) => shouldRetry(0, answer(status)))).toEqual([true, true, true]);
    expect(shouldRetry(0, answer(429, 5))).toBe(true);
    expect(shouldRetry(0, answer(429, 600))).toBe(false);
    expect(shouldRetry(2, answer(503))).toBe(false);
    expect(shouldRetry(0, new Unreachable())).toBe(true);
  });

  it("waits as long as the server said", () => {
    expect(retryDelay(0, answer(429, 7), 0)).toBe(7_000);
    expect(retryDelay(1, answer(503), 0)).toBe(2_000);
    expect(retryDelay(0, answer(503, 600), 0)).toBe(1_000);
    expect(retryDelay(0, new Unreachable(), 1)).toBe(1_500);
  });
});

describe("without a network", () => {
  it("an act fails at once, and is not done later by itself", async () => {
    const act = vi.fn(() => Promise.reject(new Unreachable()));
    const queryClient = createQueryClient();
    onlineManager.setOnline(false);
    try {
      const mutation = queryClient.getMutationCache().build(queryClient, { mutationFn: act });
      await expect(mutation.execute(undefined)).rejects.toBeInstanceOf(Unreachable);
    } finally {
      onlineManager.setOnline(true);
    }
    await queryClient.resumePausedMutations();
    expect(act).toHaveBeenCalledTimes(1);
  });
});

describe("the limit", () => {
  const slow = () =>
    server.use(
      http.get(url("/x"), async () => {
        await delay("infinite");
        return HttpResponse.json({});
      }),
    );

  it("ends what is not answered, and says that nobody can be reached", async () => {
    slow();
    const late = reach(new Request(url("/x")), { limitMs: 20 });
    await expect(late).rejects.toBeInstanceOf(Unreachable);
  });

  describe("in a browser that cannot combine signals", () => {
    const { any } = AbortSignal;
    beforeEach(() => void Reflect.deleteProperty(AbortSignal, "any"));
    afterEach(() => Object.assign(AbortSignal, { any }));

    it("ends what is not answered, too", async () => {
      slow();
      await expect(reach(new Request(url("/x")), { limitMs: 20 })).rejects.toBeInstanceOf(Unreachable);
    });

    it("leaves what is called off, before or meanwhile, and what is answered", async () => {
      slow();
      const stop = new AbortController();
      const stopped = reach(new Request(url("/x"), { signal: stop.signal }));
      stop.abort();
      await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
      const never = reach(new Request(url("/x"), { signal: AbortSignal.abort() }));
      await expect(never).rejects.toMatchObject({ name: "AbortError" });
      server.use(http.get(url("/x"), () => HttpResponse.json({ there: true })));
      expect(await (await reach(new Request(url("/x")))).json()).toEqual({ there: true });
    });
  });

  it("is half a minute for what is JSON, and none for a file that is sent", async () => {
    server.use(http.post(url("/x"), () => HttpResponse.json({})));
    const limits = vi.spyOn(AbortSignal, "timeout");
    const send = (type: string) =>
      reach(new Request(url("/x"), { method: "POST", body: "{}", headers: { "content-type": type } }));
    await send("application/json");
    await send("image/png");
    expect(limits.mock.calls).toEqual([[30_000]]);
  });

  it("holds until the answer has been read", async () => {
    const reading = Promise.reject(new DOMException("late", "TimeoutError"));
    await expect(unwrap(reading)).rejects.toBeInstanceOf(Unreachable);
  });
});

describe("words for people", () => {
  it("tell a network that fails from a fault of ours", async () => {
    server.use(http.get(url("/x"), () => HttpResponse.error()));
    const failed = await reach(new Request(url("/x"))).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Unreachable);
    expect(messageOf(failed)).toMatch("cannot be reached");
    const bug = messageOf(new TypeError("Cannot read properties of undefined (reading 'items')"));
    expect(bug).toMatch("Something went wrong here");
    expect(bug).not.toMatch("undefined");
  });

  it("leave alone what was called off", async () => {
    server.use(http.get(url("/x"), () => HttpResponse.json({})));
    const stopped = reach(new Request(url("/x"), { signal: AbortSignal.abort() })).catch(
      (error: unknown) => error,
    );
    expect(await stopped).toMatchObject({ name: "AbortError" });
  });
});
