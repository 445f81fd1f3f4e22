import { describe, expect, it, vi } from "vitest";

import { info, settled, started } from "../support/realtime";

describe("presence", () => {
  async function watched() {
    const parts = await started();
    parts.connection.watch("room:a", {});
    parts.connection.trackPresence("room:a");
    const subscription = parts.client.subscription("room:a");
    subscription.emit("subscribed", { recovered: false });
    const names = () => parts.connection.channelSnapshot("room:a").members.map(({ name }) => name);
    return { ...parts, subscription, names };
  }

  it("lists people once, however many tabs they have, until the last tab leaves", async () => {
    const { subscription, names } = await watched();
    subscription.answerPresence({
      c1: info("c1", "u1", "Grace"),
      c2: info("c2", "u2", "Ada"),
      c3: info("c3", "u2", "Ada"),
    });
    await vi.waitFor(() => expect(names()).toEqual(["Ada", "Grace"]));
    subscription.emit("leave", { info: info("c2", "u2", "Ada") });
    expect(names()).toEqual(["Ada", "Grace"]);
    subscription.emit("leave", { info: info("c3", "u2", "Ada") });
    expect(names()).toEqual(["Grace"]);
    subscription.emit("join", { info: info("c4", "u3") });
    expect(names()).toEqual(["Grace", "Somebody"]);
  });

  it("replays joins and leaves over an answer that is older than they are", async () => {
    const { subscription, names } = await watched();
    subscription.emit("join", { info: info("c9", "u9", "Newcomer") });
    subscription.emit("leave", { info: info("c1", "u1", "Grace") });
    subscription.answerPresence({ c1: info("c1", "u1", "Grace"), c2: info("c2", "u2", "Ada") });
    await vi.waitFor(() => expect(names()).toEqual(["Ada", "Newcomer"]));
  });

  it("shows nobody rather than failing when presence is refused", async () => {
    const parts = await started();
    parts.connection.watch("room:a", {});
    const subscription = parts.client.subscription("room:a");
    subscription.presence = () => Promise.reject(new Error("not available"));
    subscription.emit("subscribed", { recovered: false });
    parts.connection.trackPresence("room:a");
    await settled();
    expect(parts.connection.channelSnapshot("room:a").members).toEqual([]);
  });

  it("asks again when the shard does not know yet who is there, but not when it is refused", async () => {
    const { subscription, names, connection } = await watched();
    subscription.answerPresence({});
    await settled();
    vi.useFakeTimers();
    const answers = [
      () => Promise.reject({ code: 100, message: "internal server error", temporary: true }),
      () => Promise.reject({ code: 1, message: "timeout" }),
      () => Promise.resolve({ clients: { c1: info("c1", "u1", "Grace") } }),
    ];
    const asked = vi.fn(
      () => answers.shift()?.() ?? Promise.reject({ code: 103, message: "permission denied" }),
    );
    subscription.presence = asked;
    subscription.emit("subscribed", { recovered: true });
    await vi.advanceTimersByTimeAsync(900);
    expect(asked).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(2_200);
    expect(asked).toHaveBeenCalledTimes(3);
    expect(names()).toEqual(["Grace"]);
    subscription.emit("subscribed", { recovered: true });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveBeenCalledTimes(4);
    connection.stop();
    vi.useRealTimers();
  });

  it("forgets everybody when the socket is closed", async () => {
    const { connection, subscription, names } = await watched();
    subscription.answerPresence({ c1: info("c1", "u1", "Grace") });
    await vi.waitFor(() => expect(names()).toEqual(["Grace"]));
    connection.stop();
    expect(names()).toEqual([]);
    expect(connection.trackPresence("room:none")()).toBeUndefined();
  });
});
