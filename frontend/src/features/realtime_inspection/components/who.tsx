import { nameOf } from "../summary";

/** A connection's user: the name that their token gives, else their id; nobody is anonymous. */
export function Who({ user, info }: { user: string; info: unknown }) {
  const name = nameOf(info);
  if (!user) return <span className="text-muted-foreground">Anonymous</span>;
  return <span title={user}>{name ?? user}</span>;
}
