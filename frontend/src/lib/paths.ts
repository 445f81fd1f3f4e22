/** Where signing in leads when nothing else was asked for. */
export const HOME = "/dashboard";

/** Pages that need a session. `proxy.ts` redirects early from these; the API is what really refuses. */
export const PRIVATE_PREFIXES = [
  "/dashboard",
  "/catalogue",
  "/orders",
  "/conversations",
  "/desk",
  "/exports",
  "/audit",
  "/jobs",
  "/mailbox",
  "/notifications",
  "/people",
  "/realtime",
  "/settings",
] as const;

export function isPrivate(path: string): boolean {
  return PRIVATE_PREFIXES.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

/** `next` of /login comes from the address bar: only a path on this very site is followed. */
export function safeNext(candidate: string | null | undefined): string {
  if (!candidate || !candidate.startsWith("/")) return HOME;
  try {
    const base = "http://this.invalid";
    const url = new URL(candidate, base);
    if (url.origin !== base || url.pathname.startsWith("//")) return HOME;
    return `${url.pathname}${url.search}${url.hash}`;
  } catch {
    return HOME;
  }
}

export function loginPath(next: string): string {
  return `/login?next=${encodeURIComponent(next)}`;
}
