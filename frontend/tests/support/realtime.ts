import { EventEmitter } from "node:events";

import type { Centrifuge, ClientInfo } from "centrifuge";
import { expect, vi } from "vitest";

import { RealtimeConnection } from "@/lib/realtime/connection";

/** The SDK's subscription as far as we use it, driven by the test. */
export class FakeSubscription extends EventEmitter {
  unsubscribed = false;
  answerPresence: (clients: Record<string, ClientInfo>) => void = () => undefined;

  constructor(
    readonly channel: string,
    readonly options: object = {},
  ) {
    super();
  }

  subscribe() {
    this.emit("subscribing", { channel: this.channel, code: 0, reason: "" });
  }

  unsubscribe() {
    this.unsubscribed = true;
  }

  presence() {
    return new Promise((resolve) => {
      this.answerPresence = (clients) => resolve({ clients });
    });
  }
}

/** The SDK's subscription to a shared poll, driven by the test. */
export class FakePoll extends FakeSubscription {
  readonly tracked = new Set<string>();

  track(keys: string[]) {
    for (const key of keys) this.tracked.add(key);
  }

  untrack(keys: string[]) {
    for (const key of keys) this.tracked.delete(key);
  }
}

export class FakeClient extends EventEmitter {
  readonly subscriptions = new Map<string, FakeSubscription>();
  readonly polls = new Map<string, FakePoll>();
  readonly calls: [string, unknown][] = [];
  connects = 0;
  disconnects = 0;

  connect() {
    this.connects += 1;
  }

  disconnect() {
    this.disconnects += 1;
  }

  getSubscription(channel: string) {
    return this.subscriptions.get(channel) ?? null;
  }

  newSubscription(channel: string, options: object = {}) {
    const subscription = new FakeSubscription(channel, options);
    this.subscriptions.set(channel, subscription);
    return subscription;
  }

  removeSubscription(subscription: FakeSubscription) {
    this.subscriptions.delete(subscription.channel);
  }

  getSharedPollSubscription(channel: string) {
    return this.polls.get(channel) ?? null;
  }

  newSharedPollSubscription(channel: string, options: object = {}) {
    const subscription = new FakePoll(channel, options);
    this.polls.set(channel, subscription);
    return subscription;
  }

  removeSharedPollSubscription(subscription: FakePoll) {
    this.polls.delete(subscription.channel);
  }

  async rpc(method: string, data: unknown) {
    this.calls.push([method, data]);
    return { data: { signature: "signed" } };
  }

  subscription(channel: string): FakeSubscription {
    const subscription = this.subscriptions.get(channel);
    if (!subscription) throw new Error(`nobody subscribed to ${channel}`);
    return subscription;
  }
}

export const info = (client: string, user: string, name?: string): ClientInfo => ({
  client,
  user,
  connInfo: name ? { name } : undefined,
});

export function fakeConnection(overrides: Partial<ConstructorParameters<typeof RealtimeConnection>[0]> = {}) {
  const client = new FakeClient();
  const urls: string[] = [];
  const connection = new RealtimeConnection({
    fetchToken: async () => ({ token: "token-1", url: "ws://realtime.test/connection/websocket" }),
    createClient: async (url) => {
      urls.push(url);
      return client as unknown as Centrifuge;
    },
    ...overrides,
  });
  return { client, connection, urls };
}

/** A connection that has opened its socket. */
export async function started(overrides: Parameters<typeof fakeConnection>[0] = {}) {
  const parts = fakeConnection(overrides);
  parts.connection.start();
  await vi.waitFor(() => expect(parts.client.connects).toBe(1));
  return parts;
}

/** Lets promises that are already settled run their continuations. */
export const settled = () => vi.waitFor(() => Promise.resolve());
