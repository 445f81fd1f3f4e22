"use client";

import type { RealtimeConnection } from "@/lib/api/types";
import type { TraceEvent } from "@/lib/realtime/events";

import { TraceLines } from "./trace-lines";

/** What a connection sent and was sent last, oldest first. */
export function LastFrames({ frames }: { frames: RealtimeConnection["frames"] }) {
  return (
    <TraceLines
      label="Last frames"
      lines={frames.map((event, id) => ({ id, event: event as unknown as TraceEvent }))}
    />
  );
}
