"use client";

import { Card, CardBody } from "@/components/ui/card";
import { QueryState } from "@/components/ui/query-state";
import { LoadingCard } from "@/components/ui/skeleton";
import type { RealtimeNode } from "@/lib/api/types";
import { count, formatBytes, formatDuration, formatInteger } from "@/lib/format";

import { useNodes } from "../api/connections";

/** The realtime processes, and what each holds. */
export function NodeFigures() {
  return (
    <QueryState query={useNodes()} loading={<LoadingCard rows={1} />} className="py-6">
      {({ items }) => (
        <ul aria-label="Realtime processes" className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
          {items.map((node) => (
            <li key={node.node}>
              <NodeCard node={node} />
            </li>
          ))}
        </ul>
      )}
    </QueryState>
  );
}

function NodeCard({ node }: { node: RealtimeNode }) {
  const facts = [
    ["Users", formatInteger(node.users)],
    ["Channels", formatInteger(node.channels)],
    ["Subscriptions", formatInteger(node.subscriptions)],
    ["Memory", formatBytes(node.rss_bytes)],
    ["CPU", `${node.cpu_percent} %`],
    ["Up for", formatDuration(node.uptime_s)],
  ];
  return (
    <Card className="h-full">
      <CardBody className="pt-4">
        <h3 className="truncate font-mono text-xs text-muted-foreground" title={node.node}>
          {node.name}
        </h3>
        <p className="mt-1 text-xl font-semibold tabular-nums">{count(node.connections, "connection")}</p>
        <dl className="mt-3 grid grid-cols-3 gap-x-4 gap-y-2 text-sm">
          {facts.map(([label, value]) => (
            <div key={label}>
              <dt className="text-xs text-muted-foreground">{label}</dt>
              <dd className="tabular-nums">{value}</dd>
            </div>
          ))}
        </dl>
      </CardBody>
    </Card>
  );
}
