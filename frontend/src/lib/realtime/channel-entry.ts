import type { Centrifuge, ClientInfo, Subscription } from "centrifuge";

export interface ChannelListener {
  /** `offset` numbers publications in the channel's stream; missing where there is none. */
  onPublication?: (data: unknown, offset?: number) => void;
  /**
   * The stream starts here, or could not be recovered: what was fetched before may lack something. Fetch again.
   * Not called after a recovery that brought everything.
   */
  onSync?: () => void;
  onChange?: () => void;
}

export interface Member {
  user: string;
  name: string;
}

export interface ChannelSnapshot {
  status: "unsubscribed" | "subscribing" | "subscribed";
  /** Why the server refused, when it did. */
  error: string | null;
  /** People present, each once however many tabs they have open; sorted by name. */
  members: readonly Member[];
}

export const UNSUBSCRIBED: ChannelSnapshot = { status: "unsubscribed", error: null, members: [] };

const PRESENCE_RETRY_MS = 1_000;
const MAX_PRESENCE_RETRY_MS = 30_000;

/** One watched channel: its subscription, who listens, and who is there. */
export class ChannelEntry {
  readonly listeners = new Set<ChannelListener>();
  snapshot: ChannelSnapshot = UNSUBSCRIBED;
  private subscription: Subscription | null = null;
  private readonly clients = new Map<string, ClientInfo>();
  private presenceUsers = 0;
  /** Joins and leaves that arrive while presence is being asked for; replayed upon the answer, which may be older. */
  private inFlight: (() => void)[] | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly channel: string,
    private readonly fromStart = false,
  ) {}

  attach(client: Centrifuge): void {
    const subscription =
      client.getSubscription(this.channel) ??
      client.newSubscription(this.channel, this.fromStart ? { since: { offset: 0, epoch: "" } } : {});
    this.subscription = subscription;
    subscription.on("publication", ({ data, offset }) =>
      this.each((listener) => listener.onPublication?.(data, offset)),
    );
    subscription.on("subscribing", () => this.update({ status: "subscribing", error: null }));
    subscription.on("subscribed", ({ recovered }) => {
      this.update({ status: "subscribed", error: null });
      if (!recovered) this.each((listener) => listener.onSync?.());
      if (this.presenceUsers > 0) void this.loadPresence();
    });
    subscription.on("unsubscribed", ({ code, reason }) =>
      this.update({ status: "unsubscribed", error: code > 0 ? reason : null }),
    );
    subscription.on("join", ({ info }) => this.change(() => this.clients.set(info.client, info)));
    subscription.on("leave", ({ info }) => this.change(() => this.clients.delete(info.client)));
    subscription.subscribe();
  }

  /** Lets go of the subscription, which the caller then ends or has ended already. */
  detach(): Subscription | null {
    const subscription = this.subscription;
    subscription?.removeAllListeners();
    this.subscription = null;
    this.clients.clear();
    this.inFlight = null;
    clearTimeout(this.retry);
    this.update({ ...UNSUBSCRIBED });
    return subscription;
  }

  trackPresence(): () => void {
    this.presenceUsers += 1;
    if (this.presenceUsers === 1 && this.snapshot.status === "subscribed") void this.loadPresence();
    return () => {
      this.presenceUsers -= 1;
    };
  }

  private async loadPresence(failures = 0): Promise<void> {
    clearTimeout(this.retry);
    const subscription = this.subscription;
    if (!subscription || this.inFlight) return;
    const missed: (() => void)[] = [];
    this.inFlight = missed;
    try {
      const { clients } = await subscription.presence();
      if (this.subscription !== subscription) return;
      this.clients.clear();
      for (const [id, info] of Object.entries(clients)) this.clients.set(id, info);
    } catch (error) {
      // A shard that was started anew answers with error 100 until it knows who is there; joins arrive meanwhile.
      if (this.subscription === subscription && isPassing(error)) this.retryPresence(failures + 1);
    } finally {
      if (this.inFlight === missed) this.inFlight = null;
    }
    for (const replay of missed) replay();
    this.update({ members: membersOf(this.clients) });
  }

  private retryPresence(failures: number): void {
    this.retry = setTimeout(
      () => {
        if (this.presenceUsers > 0 && this.snapshot.status === "subscribed") void this.loadPresence(failures);
      },
      Math.min(PRESENCE_RETRY_MS * 2 ** (failures - 1), MAX_PRESENCE_RETRY_MS),
    );
  }

  private change(apply: () => void): void {
    apply();
    this.inFlight?.push(apply);
    this.update({ members: membersOf(this.clients) });
  }

  private update(part: Partial<ChannelSnapshot>): void {
    this.snapshot = { ...this.snapshot, ...part };
    this.each((listener) => listener.onChange?.());
  }

  private each(action: (listener: ChannelListener) => void): void {
    for (const listener of [...this.listeners]) action(listener);
  }
}

/** Whether asking again may help: the server says "temporary", and codes below its own are of no answer at all. */
function isPassing(error: unknown): boolean {
  const { code, temporary } = error as { code?: number; temporary?: boolean };
  return temporary === true || (code !== undefined && code <= 100);
}

function membersOf(clients: ReadonlyMap<string, ClientInfo>): Member[] {
  const byUser = new Map<string, Member>();
  for (const info of clients.values()) {
    byUser.set(info.user, { user: info.user, name: nameOf(info) });
  }
  return [...byUser.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function nameOf(info: ClientInfo): string {
  const name: unknown = (info.connInfo as { name?: unknown } | undefined)?.name;
  return typeof name === "string" && name ? name : "Somebody";
}
