import type { Centrifuge, ClientEvents, Options, Subscription } from "centrifuge";

import { ChannelEntry, type ChannelListener, type ChannelSnapshot, UNSUBSCRIBED } from "./channel-entry";
import { PollEntry, type PollListener } from "./poll-entry";

export type ConnectionState = "idle" | "connecting" | "connected" | "offline";

export interface ConnectionToken {
  token: string;
  url: string;
}

export interface ConnectionOptions {
  fetchToken: () => Promise<ConnectionToken>;
  createClient: (url: string, options: Partial<Options>) => Promise<Centrifuge>;
  /** The server ended the connection for good (the session was revoked, the account closed). */
  onTerminated?: (code: number, reason: string) => void;
}

/** Retry of the very first token, before the SDK's own backoff can take over. */
const FIRST_TOKEN_RETRY_MS = 2_000;
const MAX_TOKEN_RETRY_MS = 20_000;

/**
 * The one socket of this tab. Components watch channels; the SDK reconnects, resubscribes and recovers. The token is
 * held by this object and the SDK only, never stored.
 */
export class RealtimeConnection {
  private client: Centrifuge | null = null;
  private state: ConnectionState = "idle";
  private generation = 0;
  private readonly stateListeners = new Set<() => void>();
  private readonly entries = new Map<string, ChannelEntry>();
  private readonly polls = new Map<string, PollEntry>();
  private readonly serverChannels = new Map<string, Set<ChannelListener>>();

  constructor(private readonly options: ConnectionOptions) {}

  readonly getState = (): ConnectionState => this.state;

  readonly onState = (listener: () => void): (() => void) => {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  };

  /** Opens the socket; harmless when it is open already. */
  start(): void {
    if (this.state !== "idle" && this.state !== "offline") return;
    this.setState("connecting");
    if (this.client) this.client.connect();
    else void this.open((this.generation += 1), FIRST_TOKEN_RETRY_MS);
  }

  /** Closes the socket and forgets the token. Watched channels stay known and return with the next start. */
  stop(): void {
    this.generation += 1;
    this.client?.removeAllListeners();
    this.client?.disconnect();
    this.client = null;
    for (const entry of [...this.entries.values(), ...this.polls.values()]) entry.detach();
    this.setState("idle");
  }

  /**
   * Listens to a channel until the returned function is called; the last listener to go unsubscribes. With
   * `fromStart`, which the first to watch decides, everything that the channel still remembers comes first.
   */
  watch(channel: string, listener: ChannelListener, { fromStart = false } = {}): () => void {
    let entry = this.entries.get(channel);
    if (!entry) {
      entry = new ChannelEntry(channel, fromStart);
      this.entries.set(channel, entry);
      if (this.client) entry.attach(this.client);
    }
    const watched = entry;
    watched.listeners.add(listener);
    return () => {
      watched.listeners.delete(listener);
      // React unmounts and remounts within one turn; only a channel that stays unwatched is left.
      queueMicrotask(() => this.releaseIfUnwatched(channel, watched));
    };
  }

  /**
   * Follows values of a shared poll until the returned function is called. `signedBy` is the rpc method that signs the
   * keys.
   */
  poll(channel: string, signedBy: string, keys: readonly string[], listener: PollListener): () => void {
    let entry = this.polls.get(channel);
    if (!entry) {
      entry = new PollEntry(channel, signedBy);
      this.polls.set(channel, entry);
      if (this.client) entry.attach(this.client);
    }
    const watched = entry;
    watched.add(keys, listener);
    return () => {
      // As above, and a next page of values is asked for before the last one is let go.
      queueMicrotask(() => {
        watched.remove(keys, listener);
        if (watched.unwatched && this.polls.get(channel) === watched) this.releasePoll(channel, watched);
      });
    };
  }

  /** Listens to a channel that the server subscribes this connection to by itself. */
  watchServerChannel(channel: string, listener: ChannelListener): () => void {
    const listeners = this.serverChannels.get(channel) ?? new Set();
    this.serverChannels.set(channel, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  channelSnapshot(channel: string): ChannelSnapshot {
    return this.entries.get(channel)?.snapshot ?? UNSUBSCRIBED;
  }

  /** Keeps presence of a channel up to date while anybody asks for it. */
  trackPresence(channel: string): () => void {
    return this.entries.get(channel)?.trackPresence() ?? (() => undefined);
  }

  private async open(generation: number, retryMs: number): Promise<void> {
    try {
      const first = await this.options.fetchToken();
      if (generation !== this.generation) return;
      const client = await this.options.createClient(first.url, {
        token: first.token,
        getToken: async () => (await this.options.fetchToken()).token,
        name: "mobula-web",
      });
      if (generation !== this.generation) return;
      this.adopt(client);
      client.connect();
    } catch {
      if (generation !== this.generation) return;
      const next = Math.min(retryMs * 2, MAX_TOKEN_RETRY_MS);
      setTimeout(() => generation === this.generation && void this.open(generation, next), retryMs);
    }
  }

  private adopt(client: Centrifuge): void {
    this.client = client;
    client.on("connecting", () => this.setState("connecting"));
    client.on("connected", () => this.setState("connected"));
    client.on("disconnected", ({ code, reason }) => {
      this.setState("offline");
      if (code > 0) this.options.onTerminated?.(code, reason);
    });
    client.on("publication", (context) =>
      this.eachServerListener(context.channel, "publication", context.data),
    );
    client.on("subscribed", (context) => this.onServerSubscribed(context));
    for (const entry of [...this.entries.values(), ...this.polls.values()]) entry.attach(client);
  }

  private onServerSubscribed(context: Parameters<ClientEvents["subscribed"]>[0]): void {
    if (!context.recovered) this.eachServerListener(context.channel, "sync", undefined);
  }

  private eachServerListener(channel: string, kind: "publication" | "sync", data: unknown): void {
    for (const listener of [...(this.serverChannels.get(channel) ?? [])]) {
      if (kind === "publication") listener.onPublication?.(data);
      else listener.onSync?.();
    }
  }

  private releaseIfUnwatched(channel: string, entry: ChannelEntry): void {
    if (entry.listeners.size > 0 || this.entries.get(channel) !== entry) return;
    this.entries.delete(channel);
    const subscription: Subscription | null = entry.detach();
    if (!subscription) return;
    subscription.unsubscribe();
    this.client?.removeSubscription(subscription);
  }

  private releasePoll(channel: string, entry: PollEntry): void {
    this.polls.delete(channel);
    const subscription = entry.detach();
    if (!subscription) return;
    subscription.unsubscribe();
    this.client?.removeSharedPollSubscription(subscription);
  }

  private setState(state: ConnectionState): void {
    if (state === this.state) return;
    this.state = state;
    for (const listener of [...this.stateListeners]) listener();
  }
}
