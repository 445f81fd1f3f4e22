"use client";

import { useEffect, useRef } from "react";

import { cn } from "@/lib/cn";
import { formatClockMillis } from "@/lib/format";
import type { TraceEvent } from "@/lib/realtime/events";

import type { TraceLine } from "../hooks/use-live-trace";
import { labelOf, summaryOf } from "../summary";

/** Within this of its end, a log follows what arrives; further up, somebody is reading. */
const FOLLOW_PX = 40;

const TONES: Record<string, string> = {
  in: "text-primary",
  out: "text-violet",
  closed: "text-danger",
  publication: "text-success",
};

/** What was seen, oldest first; it stays at its end while nobody scrolls up. A line opens to the whole of it. */
export function TraceLines({ label, lines }: { label: string; lines: readonly TraceLine[] }) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <div
      ref={box}
      role="log"
      aria-label={label}
      tabIndex={0}
      onScroll={({ currentTarget: log }) => {
        follows.current = log.scrollHeight - log.scrollTop - log.clientHeight < FOLLOW_PX;
      }}
      className="max-h-[28rem] overflow-y-auto rounded-md border bg-muted/40 py-1 focus-visible:-outline-offset-2"
    >
      {lines.map((line) => (
        <Line key={line.id} event={line.event} />
      ))}
    </div>
  );
}

function Line({ event }: { event: TraceEvent }) {
  return (
    <details data-testid="trace-line" data-kind={event.kind} className="group px-3 text-xs open:bg-muted">
      <summary className="flex cursor-pointer flex-wrap items-baseline gap-x-3 py-1 font-mono">
        {event.at ? (
          <time className="text-muted-foreground tabular-nums">{formatClockMillis(event.at)}</time>
        ) : null}
        <span className={cn("w-24 font-sans font-medium", TONES[event.kind] ?? "text-muted-foreground")}>
          {labelOf(event)}
        </span>
        <span className="min-w-0 basis-full truncate sm:flex-1 sm:basis-0">{summaryOf(event)}</span>
      </summary>
      <pre className="overflow-x-auto pt-1 pb-2 font-mono leading-relaxed whitespace-pre-wrap">
        {JSON.stringify(event.frame ?? event, null, 2)}
      </pre>
    </details>
  );
}
