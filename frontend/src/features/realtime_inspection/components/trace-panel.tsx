"use client";

import { RadioTower } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import type { RealtimeTrace } from "@/lib/api/types";
import { count } from "@/lib/format";

import { useTraces } from "../api/traces";
import { SilentNotice } from "./silent-notice";
import { TraceForm } from "./trace-form";
import { TraceView } from "./trace-view";

interface TracePanelProps {
  traceId: string | null;
  onOpen: (traceId: string | null) => void;
}

/** Begin a trace, see which are under way, read along with one. */
export function TracePanel({ traceId, onOpen }: TracePanelProps) {
  const traces = useTraces();
  const opened = traces.data?.items.find(({ id }) => id === traceId) ?? null;
  return (
    <div className="space-y-4">
      <TraceForm onStarted={onOpen} />
      {traceId ? (
        <TraceView key={traceId} traceId={traceId} trace={opened} onClose={() => onOpen(null)} />
      ) : null}
      {traces.data ? <SilentNotice silent={traces.data.silent} /> : null}
      <Card>
        <CardHeader>
          <CardTitle>Under way</CardTitle>
        </CardHeader>
        <QueryState query={traces} loading={<SkeletonRows rows={2} />}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty icon={RadioTower} title="Nothing is traced" className="pt-4">
                A trace shows every frame of a user, a connection or a channel as it passes, secrets redacted.
                Beginning one is recorded in the audit trail.
              </Empty>
            ) : (
              <CardBody>
                <ul aria-label="Traces" className="divide-y">
                  {items.map((trace) => (
                    <li key={trace.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 py-2.5 text-sm">
                      <span className="min-w-64 flex-1">
                        <span className="text-muted-foreground">{subjectOf(trace)[0]}</span>{" "}
                        <span className="font-mono text-xs break-all">{subjectOf(trace)[1]}</span>
                      </span>
                      <span className="text-muted-foreground">{count(trace.connections, "connection")}</span>
                      {trace.id === traceId ? (
                        <Badge tone="primary">Shown above</Badge>
                      ) : (
                        <Button variant="secondary" size="sm" onClick={() => onOpen(trace.id)}>
                          Read along
                        </Button>
                      )}
                    </li>
                  ))}
                </ul>
              </CardBody>
            )
          }
        </QueryState>
      </Card>
    </div>
  );
}

function subjectOf(trace: RealtimeTrace): [string, string] {
  if (trace.user) return ["User", trace.user];
  if (trace.client) return ["Connection", trace.client];
  return ["Channel", trace.channel ?? ""];
}
