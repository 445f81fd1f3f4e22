import { describe, expect, it, vi } from "vitest";

import { fakeConnection, settled, started } from "../support/realtime";

describe("RealtimeConnection", () => {
  it("opens one socket at the address that came with the token", async () => {
    const { connection, client, urls } = await started();
    connection.start();
    expect(urls).toEqual(["ws://realtime.test/connection/websocket"]);
    expect(connection.getState()).toBe("connecting");
    client.emit("connected", {});
    expect(connection.getState()).toBe("connected");
  });

  it("asks for a token again when the first one could not be had", async () => {
    vi.useFakeTimers();
    const fetchToken = vi
      .fn<() => Promise<{ token: string; url: string }>>()
      .mockRejectedValueOnce(new TypeError("down"))
      .mockRejectedValueOnce(new TypeError("down"))
      .mockResolvedValue({ token: "t", url: "ws://x" });
    const { connection, client } = fakeConnection({ fetchToken });
    connection.start();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(fetchToken).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(3_900);
    expect(fetchToken).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(200);
    expect(client.connects).toBe(1);
    vi.useRealTimers();
  });

  it("gives up the attempt when it is stopped meanwhile", async () => {
    let deliver: (token: { token: string; url: string }) => void = () => undefined;
    const { connection, client } = fakeConnection({
      fetchToken: () => new Promise((resolve) => (deliver = resolve)),
    });
    connection.start();
    connection.stop();
    deliver({ token: "t", url: "ws://x" });
    await settled();
    expect(client.connects).toBe(0);
    expect(connection.getState()).toBe("idle");
  });

  it("tells when the server ended it for good, and can be started again", async () => {
    const onTerminated = vi.fn();
    const { connection, client } = await started({ onTerminated });
    const seen: string[] = [];
    connection.onState(() => seen.push(connection.getState()));
    client.emit("connected", {});
    client.emit("disconnected", { code: 3503, reason: "session revoked" });
    expect(onTerminated).toHaveBeenCalledWith(3503, "session revoked");
    expect(seen).toEqual(["connected", "offline"]);
    connection.start();
    expect(client.connects).toBe(2);
  });

  it("does not call its own farewell a termination", async () => {
    const onTerminated = vi.fn();
    const { client } = await started({ onTerminated });
    client.emit("disconnected", { code: 0, reason: "disconnect called" });
    expect(onTerminated).not.toHaveBeenCalled();
  });

  it("passes on what arrives on channels the server subscribed", async () => {
    const { connection, client } = await started();
    const onPublication = vi.fn();
    const onSync = vi.fn();
    const stop = connection.watchServerChannel("user:#u", { onPublication, onSync });
    client.emit("subscribed", { channel: "user:#u", recovered: false });
    client.emit("subscribed", { channel: "user:#u", recovered: true });
    client.emit("publication", { channel: "user:#u", data: 1 });
    client.emit("publication", { channel: "user:#other", data: 2 });
    expect(onSync).toHaveBeenCalledTimes(1);
    expect(onPublication.mock.calls).toEqual([[1]]);
    stop();
    client.emit("publication", { channel: "user:#u", data: 3 });
    expect(onPublication).toHaveBeenCalledTimes(1);
  });
});

describe("watching a channel", () => {
  it("subscribes once for many listeners and unsubscribes after the last", async () => {
    const { connection, client } = await started();
    const first = vi.fn();
    const second = vi.fn();
    const stopFirst = connection.watch("room:a", { onPublication: first });
    const stopSecond = connection.watch("room:a", { onPublication: second });
    const subscription = client.subscription("room:a");
    subscription.emit("publication", { data: "hello", offset: 7 });
    expect(first).toHaveBeenCalledWith("hello", 7);
    expect(second).toHaveBeenCalledWith("hello", 7);
    expect(subscription.options).toEqual({});
    stopFirst();
    await settled();
    expect(subscription.unsubscribed).toBe(false);
    stopSecond();
    await vi.waitFor(() => expect(subscription.unsubscribed).toBe(true));
    expect(client.subscriptions.size).toBe(0);
  });

  it("survives a component that unmounts and mounts in one turn", async () => {
    const { connection, client } = await started();
    const stop = connection.watch("room:a", {});
    const subscription = client.subscription("room:a");
    stop();
    connection.watch("room:a", {});
    await settled();
    expect(subscription.unsubscribed).toBe(false);
    expect(client.subscription("room:a")).toBe(subscription);
  });

  it("remembers channels that were watched before the socket was there", async () => {
    const { connection, client } = fakeConnection();
    connection.watch("room:early", {});
    connection.start();
    await vi.waitFor(() => expect(client.subscriptions.has("room:early")).toBe(true));
  });

  it("asks to fetch again at the start and after a failed recovery, not after a good one", async () => {
    const { connection, client } = await started();
    const onSync = vi.fn();
    connection.watch("room:a", { onSync });
    const subscription = client.subscription("room:a");
    subscription.emit("subscribed", { recovered: false, wasRecovering: false });
    expect(onSync).toHaveBeenCalledTimes(1);
    subscription.emit("subscribed", { recovered: true, wasRecovering: true });
    expect(onSync).toHaveBeenCalledTimes(1);
    subscription.emit("subscribed", { recovered: false, wasRecovering: true });
    expect(onSync).toHaveBeenCalledTimes(2);
  });

  it("keeps the reason of a refusal", async () => {
    const { connection, client } = await started();
    connection.watch("room:secret", {});
    client.subscription("room:secret").emit("unsubscribed", { code: 103, reason: "permission denied" });
    expect(connection.channelSnapshot("room:secret")).toMatchObject({
      status: "unsubscribed",
      error: "permission denied",
    });
    expect(connection.channelSnapshot("room:unknown").status).toBe("unsubscribed");
  });
});

describe("values of a shared poll", () => {
  it("are tracked once for everybody who looks, signed, and let go with the last one", async () => {
    const { connection, client } = await started();
    const [one, two] = [vi.fn(), vi.fn()];
    const leaveOne = connection.poll("stock:levels", "stock.track", ["a", "b"], one);
    const leaveTwo = connection.poll("stock:levels", "stock.track", ["b", "c"], two);
    const poll = client.polls.get("stock:levels");
    expect(poll?.tracked).toEqual(new Set(["a", "b", "c"]));
    const { getSignature } = poll?.options as {
      getSignature: (asked: { keys: string[] }) => Promise<{ keys: string[]; signature: string }>;
    };
    expect(await getSignature({ keys: ["a"] })).toEqual({ keys: ["a"], signature: "signed" });
    expect(client.calls).toEqual([["stock.track", { channel: "stock:levels", keys: ["a"] }]]);
    poll?.emit("update", { key: "b", data: { stock: 2 }, version: 7 });
    poll?.emit("update", { key: "c", data: null, removed: true });
    expect(one.mock.calls).toEqual([["b", { stock: 2 }, 7]]);
    expect(two.mock.calls).toEqual([
      ["b", { stock: 2 }, 7],
      ["c", null, undefined],
    ]);
    leaveOne();
    await settled();
    expect(poll?.tracked).toEqual(new Set(["b", "c"]));
    leaveTwo();
    await settled();
    expect([poll?.unsubscribed, client.polls.size]).toEqual([true, 0]);
  });

  it("are followed again by the next socket", async () => {
    const { connection, client } = await started();
    connection.poll("stock:levels", "stock.track", ["a"], vi.fn());
    connection.stop();
    client.polls.clear();
    connection.start();
    await vi.waitFor(() => expect(client.polls.get("stock:levels")?.tracked).toEqual(new Set(["a"])));
  });
});
