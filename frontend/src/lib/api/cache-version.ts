/** Longer than it takes every replica to hear of an invalidation; after that the server needs no reminding. */
const REMEMBERED_MS = 15_000;

/** By cache shard: the newest invalidation that an answer to a write of ours has named, and when we forget it. */
const seen = new Map<string, { version: string; until: number }>();

/** Keeps the `Cache-Version` of an answer to a write: `shard:incarnation:number`, several separated by commas. */
export function rememberVersion(header: string | null, now = Date.now()): void {
  for (const part of header?.split(",") ?? []) {
    const version = part.trim();
    seen.set(version.slice(0, version.indexOf(":")), { version, until: now + REMEMBERED_MS });
  }
}

/** What to send with reads, or "" when nothing was written lately. */
export function versionSeen(now = Date.now()): string {
  for (const [shard, { until }] of seen) if (until <= now) seen.delete(shard);
  return [...seen.values()].map(({ version }) => version).join(",");
}
