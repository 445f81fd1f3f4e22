"use client";

import { useState } from "react";

import { channels, type TraceEvent, type TraceMessage } from "@/lib/realtime/events";
import { useChannel } from "@/lib/realtime/hooks";

/** Lines kept on the page; older ones make room. */
export const LINES_KEPT = 500;

export interface TraceLine {
  id: number;
  event: TraceEvent;
}

export interface LiveTrace {
  /** Oldest first. */
  lines: readonly TraceLine[];
  /** Seen by processes and not sent to us: there was more than a trace may carry. */
  dropped: number;
  /** Why each process that traces no more has ended it, by process. */
  ended: Readonly<Record<string, string>>;
}

const NOTHING: LiveTrace = { lines: [], dropped: 0, ended: {} };

/** Everything that a trace has published, and goes on to publish. Mount it anew for another trace. */
export function useLiveTrace(traceId: string): LiveTrace {
  const [{ trace }, setState] = useState({ trace: NOTHING, seen: 0, next: 1 });
  useChannel<TraceMessage>(
    channels.trace(traceId),
    (message, offset = 0) =>
      setState((state) => {
        // A new socket hears the stream from its start again.
        if (offset <= state.seen) return state;
        const { trace: after, next } = withMessage(state.trace, message, state.next);
        return { trace: after, seen: offset, next };
      }),
    { fromStart: true },
  );
  return trace;
}

function withMessage(
  trace: LiveTrace,
  message: TraceMessage,
  next: number,
): { trace: LiveTrace; next: number } {
  if (message.type === "events") {
    const added = message.events.map((event, place) => ({ id: next + place, event }));
    return {
      trace: {
        ...trace,
        lines: [...trace.lines, ...added].slice(-LINES_KEPT),
        dropped: trace.dropped + message.dropped,
      },
      next: next + added.length,
    };
  }
  if (message.type === "end") {
    return { trace: { ...trace, ended: { ...trace.ended, [message.node]: message.reason } }, next };
  }
  return { trace, next };
}
