"use client";

import { Server } from "lucide-react";

import { Badge, type Tone } from "@/components/ui/badge";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { QueryState } from "@/components/ui/query-state";
import { LoadingCard } from "@/components/ui/skeleton";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { ShardProcess } from "@/lib/api/types";
import { formatInteger } from "@/lib/format";

import { useShards } from "../api/rules";

const STATES = {
  active: { label: "Active", tone: "success" },
  standby: { label: "Stands by", tone: "neutral" },
  silent: { label: "Does not answer", tone: "danger" },
} as const satisfies Record<ShardProcess["state"], { label: string; tone: Tone }>;

/** The processes that own what lives in memory: which is active, for how long, and what it has. */
export function ShardList() {
  return (
    <QueryState query={useShards()} loading={<LoadingCard />}>
      {({ items, buckets }) =>
        items.length === 0 ? (
          <Card>
            <Empty icon={Server} title="No process hosts shards" />
          </Card>
        ) : (
          <ul aria-label="Shard processes" className="space-y-4">
            {items.map((process) => (
              <li key={`${process.host} ${process.side}`}>
                <Process process={process} total={buckets} />
              </li>
            ))}
          </ul>
        )
      }
    </QueryState>
  );
}

function Process({ process, total }: { process: ShardProcess; total: number }) {
  const { label, tone } = STATES[process.state];
  return (
    <Card data-testid="shard-process" data-state={process.state}>
      <CardHeader>
        <CardTitle className="flex flex-wrap items-center gap-2.5">
          Host {process.host}
          {process.side === 0 ? "" : ", second process"}
          <Badge tone={tone}>{label}</Badge>
        </CardTitle>
        <p className="text-sm text-muted-foreground">{facts(process).join(" · ")}</p>
      </CardHeader>
      {process.shards.length > 0 ? (
        <Table label={`Shards of host ${process.host}`}>
          <thead>
            <tr>
              <Th>Shard</Th>
              <Th>State</Th>
              <Th className="text-right">Buckets</Th>
            </tr>
          </thead>
          <tbody>
            {process.shards.map((shard) => (
              <Tr key={`${shard.kind}/${shard.shard}`}>
                <Td className="py-2.5 font-mono text-xs">
                  {shard.kind}/{shard.shard}
                </Td>
                <Td className="py-2.5">
                  <Badge tone={shard.ready ? "success" : "warning"}>
                    {shard.ready ? "Answers" : "Starting"}
                  </Badge>
                </Td>
                <Td className="py-2.5 text-right tabular-nums">
                  {shard.buckets === null
                    ? "–"
                    : `${formatInteger(shard.buckets)} of ${formatInteger(total)}`}
                </Td>
              </Tr>
            ))}
          </tbody>
        </Table>
      ) : (
        <CardBody className="text-sm text-muted-foreground">
          {process.state === "standby"
            ? "It has everything loaded and takes over when the active process is lost."
            : "Nothing is known of it now."}
        </CardBody>
      )}
    </Card>
  );
}

function facts(process: ShardProcess): string[] {
  const found: string[] = [];
  if (process.lease_s !== null) found.push(`lease ${process.lease_s.toFixed(1)} s`);
  if (process.pid !== null) found.push(`pid ${process.pid}`);
  return found;
}
