"use client";

import { Square, X } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { ErrorState } from "@/components/ui/error-state";
import { LiveDot } from "@/components/ui/live-dot";
import { toast } from "@/components/ui/toast";
import type { RealtimeTrace } from "@/lib/api/types";
import { count } from "@/lib/format";
import { channels } from "@/lib/realtime/events";
import { useChannelStatus } from "@/lib/realtime/hooks";

import { useStopTrace } from "../api/traces";
import { LINES_KEPT, useLiveTrace } from "../hooks/use-live-trace";
import { TraceLines } from "./trace-lines";

const REASONS: Record<string, string> = {
  time: "Its time is over.",
  frames: "It has seen as many frames as it may.",
  stopped: "It was stopped.",
  shutdown: "The process that traced was stopped.",
};

interface TraceViewProps {
  traceId: string;
  /** Null once it is not under way any more. */
  trace: RealtimeTrace | null;
  onClose: () => void;
}

/** One trace, live while it lasts, and to be read for a quarter of an hour. */
export function TraceView({ traceId, trace, onClose }: TraceViewProps) {
  const { lines, dropped, ended } = useLiveTrace(traceId);
  const { error } = useChannelStatus(channels.trace(traceId));
  const stop = useStopTrace();
  const reasons = Object.values(ended);
  const over = trace ? trace.nodes.every((node) => node in ended) : reasons.length > 0;
  return (
    <Card>
      <CardHeader>
        <CardTitle className="flex items-center gap-2.5">
          <LiveDot active={!over} />
          <span data-testid="trace-state" data-state={over ? "ended" : "live"}>
            {over ? "Trace, ended" : "Trace, live"}
          </span>
          <span className="text-sm font-normal text-muted-foreground tabular-nums">
            {count(lines.length, "line")}
          </span>
        </CardTitle>
        <div className="flex gap-2">
          {over ? null : (
            <Button
              variant="secondary"
              size="sm"
              pending={stop.isPending}
              onClick={() =>
                stop.mutate(traceId, {
                  onError: (reason) => toast.error("The trace was not stopped", reason),
                })
              }
            >
              {stop.isPending ? null : <Square aria-hidden />} Stop trace
            </Button>
          )}
          <Button variant="ghost" size="sm" onClick={onClose}>
            <X aria-hidden /> Close
          </Button>
        </div>
      </CardHeader>
      <CardBody className="space-y-3">
        {error ? (
          <ErrorState title="The trace cannot be read" explained={error} className="py-4" />
        ) : lines.length === 0 ? (
          <p className="py-6 text-center text-sm text-muted-foreground">
            {over ? "Nothing was seen." : "Waiting for something to happen …"}
          </p>
        ) : (
          <TraceLines label="Trace" lines={lines} />
        )}
        {dropped > 0 ? (
          <p className="text-sm text-warning">
            {count(dropped, "event")} came faster than a trace may carry, and are missing.
          </p>
        ) : null}
        {lines.length === LINES_KEPT ? (
          <p className="text-sm text-muted-foreground">The last {LINES_KEPT} lines.</p>
        ) : null}
        {over ? (
          <p className="text-sm text-muted-foreground">
            {[...new Set(reasons)].map((reason) => REASONS[reason] ?? reason).join(" ")}
          </p>
        ) : null}
      </CardBody>
    </Card>
  );
}
