"use client";

import { Badge } from "@/components/ui/badge";
import { RelativeTime } from "@/components/ui/relative-time";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { RealtimeConnection } from "@/lib/api/types";
import { count, formatBytes, formatDateTime, humanise } from "@/lib/format";

import { LastFrames } from "./last-frames";
import { Who } from "./who";

export function ConnectionDetail({ connection }: { connection: RealtimeConnection }) {
  const facts: [string, React.ReactNode][] = [
    ["User", <Who key="user" user={connection.user} info={connection.info} />],
    ["User id", <Code key="id">{connection.user || "–"}</Code>],
    ["Connection", <Code key="client">{connection.client}</Code>],
    ["Login session", <Code key="session">{connection.session || "–"}</Code>],
    ["Transport", connection.transport],
    ["Client", [connection.name, connection.version].filter(Boolean).join(" ") || "–"],
    [
      "Connected",
      <span key="opened">
        {formatDateTime(connection.opened_at)} · <RelativeTime at={connection.opened_at} />
      </span>,
    ],
    ["Token expires", connection.expires_at ? formatDateTime(connection.expires_at) : "Never"],
    ["Not read yet", formatBytes(connection.queue_bytes)],
    ["Waiting for an answer", count(connection.commands, "command")],
    ["Process", <Code key="node">{connection.node}</Code>],
  ];
  return (
    <div className="space-y-6 p-5">
      <div className="flex flex-wrap gap-2">
        <Badge tone={connection.state === "connected" ? "success" : "neutral"}>
          {humanise(connection.state)}
        </Badge>
        {connection.traced ? <Badge tone="violet">Traced</Badge> : null}
      </div>
      <dl className="grid gap-x-6 gap-y-3 text-sm sm:grid-cols-[9rem_1fr] sm:gap-y-2">
        {facts.map(([label, value]) => (
          <div key={label} className="contents">
            <dt className="-mb-2.5 text-muted-foreground sm:mb-0">{label}</dt>
            <dd className="min-w-0 break-words">{value}</dd>
          </div>
        ))}
      </dl>
      <section>
        <h3 className="mb-2 text-sm font-semibold">{count(connection.channel_count, "channel")}</h3>
        {connection.channels.length > 0 ? <Channels channels={connection.channels} /> : null}
      </section>
      <section>
        <h3 className="mb-2 text-sm font-semibold">Last frames</h3>
        {connection.frames.length > 0 ? (
          <LastFrames frames={connection.frames} />
        ) : (
          <p className="text-sm text-muted-foreground">
            {connection.traced
              ? "Nothing was sent either way since the trace began."
              : "Nothing was said in the last minute but pings and what channels brought."}
          </p>
        )}
      </section>
    </div>
  );
}

function Code({ children }: { children: string }) {
  return <code className="font-mono text-xs break-all select-all">{children}</code>;
}

function Channels({ channels }: { channels: RealtimeConnection["channels"] }) {
  return (
    <div className="rounded-md border">
      <Table label="Channels">
        <thead>
          <tr>
            <Th className="px-3">Channel</Th>
            <Th className="px-3">State</Th>
            <Th className="px-3 text-right">Position</Th>
          </tr>
        </thead>
        <tbody>
          {channels.map((channel) => (
            <Tr key={channel.channel}>
              <Td className="px-3 py-2 font-mono text-xs break-all">
                {channel.channel}
                {channel.server_side ? (
                  <Badge className="ml-2 font-sans" title="Chosen by the server, not by the client">
                    by the server
                  </Badge>
                ) : null}
              </Td>
              <Td className="px-3 py-2 text-muted-foreground">{channel.state}</Td>
              <Td className="px-3 py-2 text-right font-mono text-xs whitespace-nowrap">
                {channel.epoch ? `${channel.epoch} · ${channel.offset}` : "–"}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </div>
  );
}
