/** Everything a person reads is formatted here, in one locale, so that server and browser print the same text. */
const LOCALE = "en-GB";

const integer = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const dateTime = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(LOCALE, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const clockMillis = new Intl.DateTimeFormat(LOCALE, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
const day = new Intl.DateTimeFormat(LOCALE, { weekday: "long", day: "numeric", month: "long" });
const dayOfYear = new Intl.DateTimeFormat(LOCALE, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
});
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const formatInteger = (value: number): string => integer.format(value);
export const formatCompact = (value: number): string => compact.format(value);
export const formatDateTime = (iso: string): string => dateTime.format(new Date(iso));
export const formatClock = (iso: string): string => clock.format(new Date(iso));
export const formatClockSeconds = (iso: string): string => clockSeconds.format(new Date(iso));
export const formatClockMillis = (unixMs: number): string => clockMillis.format(new Date(unixMs));

/** Amounts travel as text; only what is shown becomes a number. */
export function formatMoney(amount: string | number, currency: string): string {
  return new Intl.NumberFormat(LOCALE, { style: "currency", currency }).format(Number(amount));
}

/** Exact sum of `price × quantity` in the currency's minor unit, which a binary fraction could not hold. */
export function sumMoney(lines: readonly { price: string; quantity: number }[]): string {
  const cents = lines.reduce((sum, line) => sum + Math.round(Number(line.price) * 100) * line.quantity, 0);
  return (cents / 100).toFixed(2);
}

/** "3 min ago", "yesterday", and the date once it is a week old. */
export function formatRelative(iso: string, now: number = Date.now()): string {
  const elapsed = now - new Date(iso).getTime();
  const magnitude = Math.abs(elapsed);
  if (magnitude < 45 * SECOND) return "just now";
  if (magnitude < HOUR) return relative.format(-Math.round(elapsed / MINUTE), "minute");
  if (magnitude < DAY) return relative.format(-Math.round(elapsed / HOUR), "hour");
  if (magnitude < 7 * DAY) return relative.format(-Math.round(elapsed / DAY), "day");
  return formatDateTime(iso);
}

/** The heading over one day's messages. */
export function formatDay(iso: string, now: Date = new Date()): string {
  const date = new Date(iso);
  if (date.toDateString() === now.toDateString()) return "Today";
  // By the calendar: the day on which clocks change has 23 hours, or 25.
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return (date.getFullYear() === now.getFullYear() ? day : dayOfYear).format(date);
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** "45 s", "3 min", "2 h 5 min", "3 d 4 h": how long something lasted or has lasted. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  const [large, small] =
    hours < 24 ? [`${hours} h`, minutes % 60] : [`${Math.floor(hours / 24)} d`, hours % 24];
  if (small === 0) return large;
  return `${large} ${small} ${hours < 24 ? "min" : "h"}`;
}

/** "1 row", "2,000 rows". */
export function count(amount: number, noun: string): string {
  return `${formatInteger(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

/** "order_cancelled" → "Order cancelled". */
export function humanise(identifier: string): string {
  const words = identifier.replace(/[_.-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function initials(name: string): string {
  const parts = name.split(/[\s._-]+/).filter(Boolean);
  const letters = parts.length > 1 ? `${parts[0]?.[0] ?? ""}${parts[1]?.[0] ?? ""}` : name.slice(0, 2);
  return letters.toUpperCase();
}
