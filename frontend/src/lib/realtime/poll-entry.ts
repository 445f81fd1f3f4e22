import type { Centrifuge, SharedPollSubscription } from "centrifuge";

/**
 * `data` is null for a key that is no more; nothing more is heard of it then. `version` only grows; it is missing where
 * the key may not be followed any longer.
 */
export type PollListener = (key: string, data: unknown, version?: number) => void;

/** The keys of one shared poll that somebody looks at. `signedBy`: the rpc method that says that we may. */
export class PollEntry {
  private readonly watched = new Map<string, Set<PollListener>>();
  private subscription: SharedPollSubscription | null = null;

  constructor(
    readonly channel: string,
    private readonly signedBy: string,
  ) {}

  get unwatched(): boolean {
    return this.watched.size === 0;
  }

  attach(client: Centrifuge): void {
    const subscription =
      client.getSharedPollSubscription(this.channel) ??
      client.newSharedPollSubscription(this.channel, {
        getSignature: async ({ keys }) => {
          const { data } = await client.rpc(this.signedBy, { channel: this.channel, keys });
          return { keys, signature: String((data as { signature?: unknown }).signature) };
        },
      });
    this.subscription = subscription;
    subscription.on("update", ({ key, data, removed, version }) => {
      for (const listener of [...(this.watched.get(key) ?? [])])
        listener(key, removed ? null : data, version);
    });
    subscription.subscribe();
    if (!this.unwatched) subscription.track([...this.watched.keys()]);
  }

  /** Lets go of the subscription, which the caller then ends or has ended already. */
  detach(): SharedPollSubscription | null {
    const subscription = this.subscription;
    subscription?.removeAllListeners();
    this.subscription = null;
    return subscription;
  }

  add(keys: readonly string[], listener: PollListener): void {
    const fresh = keys.filter((key) => !this.watched.has(key));
    for (const key of keys) this.watched.set(key, (this.watched.get(key) ?? new Set()).add(listener));
    if (fresh.length > 0) this.subscription?.track(fresh);
  }

  remove(keys: readonly string[], listener: PollListener): void {
    const gone: string[] = [];
    for (const key of keys) {
      const listeners = this.watched.get(key);
      if (!listeners?.delete(listener) || listeners.size > 0) continue;
      this.watched.delete(key);
      gone.push(key);
    }
    if (gone.length > 0) this.subscription?.untrack(gone);
  }
}
