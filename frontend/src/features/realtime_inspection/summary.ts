import type { TraceEvent } from "@/lib/realtime/events";

const LABELS: Record<string, string> = {
  in: "From client",
  out: "To client",
  closed: "Closed",
  publication: "Published",
  join: "Joined",
  leave: "Left",
  subscribed: "Subscribed",
  unsubscribed: "Unsubscribed",
};

export const labelOf = (event: TraceEvent): string => LABELS[event.kind] ?? event.kind;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a frame is about, in a few words: "publish room:1", "push room:1 · publication", "ping". */
export function summaryOf(event: TraceEvent): string {
  if (event.kind === "publication") return `${event.channel ?? ""} · offset ${String(event.offset)}`;
  if (event.kind === "closed" && isObject(event.frame)) {
    const { code, reason } = event.frame;
    return code ? `${String(code)} ${String(reason)}` : "transport lost";
  }
  if (event.frame === undefined) return [event.channel, event.client].filter(Boolean).join(" · ");
  return frameSummary(event.frame, event.channel);
}

function frameSummary(frame: unknown, channel?: string): string {
  if (!isObject(frame)) return "";
  if (Object.keys(frame).length === 0) return "ping or pong";
  if (isObject(frame.push)) return pushSummary(frame.push, channel);
  if (isObject(frame.error))
    return `error ${String(frame.error.code)} ${String(frame.error.message ?? "")}`.trim();
  const kind = Object.keys(frame).find((name) => name !== "id");
  if (!kind) return "";
  const body = frame[kind];
  const about = isObject(body) ? (body.channel ?? body.method) : undefined;
  return typeof about === "string" && about ? `${kind} ${about}` : kind;
}

/** A compact push names its channel by a number only; the trace says which it is. */
function pushSummary(push: Record<string, unknown>, channel?: string): string {
  const kind = Object.keys(push).find((name) => name !== "channel" && name !== "id") ?? "message";
  const name = kind === "pub" ? "publication" : kind;
  const where = typeof push.channel === "string" && push.channel ? push.channel : channel;
  return where ? `${name} in ${where}` : name;
}

/** The name that a token gives its bearer. */
export function nameOf(info: unknown): string | null {
  return isObject(info) && typeof info.name === "string" && info.name ? info.name : null;
}
