"use client";

import { formatDateTime, formatDay, formatRelative } from "@/lib/format";
import { useMinute } from "@/lib/hooks/use-minute";

interface TimeProps {
  /** ISO 8601. */
  at: string;
}

/** How long ago something was, true for as long as it is looked at; when exactly, upon pointing at it. */
export function RelativeTime({ at }: TimeProps) {
  useMinute();
  return (
    <time dateTime={at} title={formatDateTime(at)}>
      {formatRelative(at)}
    </time>
  );
}

/** The day of something as a heading: what is "Today" is "Yesterday" after midnight. */
export function Day({ at }: TimeProps) {
  useMinute();
  return formatDay(at);
}
