"use client";

import { ChevronRight, Unplug } from "lucide-react";
import { parseAsString, parseAsStringLiteral, useQueryStates } from "nuqs";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Input } from "@/components/ui/input";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { RealtimeConnection } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { count, formatBytes } from "@/lib/format";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { SUBJECTS, useConnections } from "../api/connections";
import { SilentNotice } from "./silent-notice";
import { Who } from "./who";

const OPTIONS = [
  { value: "user", label: "User" },
  { value: "channel", label: "Channel" },
  { value: "session", label: "Login session" },
] as const;
const HINTS = { user: "Username or id", channel: "Channel, such as room:1", session: "Id of the session" };
const TYPING_MS = 300;
/** As long as the API takes. */
const MAX_ID = 255;

export function ConnectionList({ onOpen }: { onOpen: (client: string) => void }) {
  const [{ by, of, after }, set] = useQueryStates(
    {
      by: parseAsStringLiteral(SUBJECTS).withDefault("user"),
      of: parseAsString.withDefault(""),
      after: parseAsString,
    },
    { history: "push" },
  );
  const value = useDebounced(of.trim(), TYPING_MS);
  const connections = useConnections({ subject: by, value, after: after ?? undefined });

  return (
    <div className="space-y-4">
      <div role="search" className="flex flex-wrap gap-3">
        <div className="w-40">
          <Select
            aria-label="Find by"
            options={OPTIONS}
            value={by}
            onChange={(next) => void set({ by: next, after: null })}
          />
        </div>
        <div className="w-72 max-w-full">
          <Input
            type="search"
            aria-label="Connections of"
            maxLength={MAX_ID}
            placeholder={HINTS[by]}
            value={of}
            onChange={(event) =>
              void set({ of: event.target.value || null, after: null }, { history: "replace" })
            }
          />
        </div>
      </div>
      {connections.data ? <SilentNotice silent={connections.data.silent} /> : null}
      <Card className={cn(connections.isPlaceholderData && "opacity-60")}>
        <QueryState query={connections} loading={<SkeletonRows />}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty icon={Unplug} title={value ? "Nobody like that is connected" : "Nobody is connected"}>
                {value ? "Usernames and ids are matched whole." : "Connections show up here as they come."}
              </Empty>
            ) : (
              <ConnectionTable connections={items} onOpen={onOpen} />
            )
          }
        </QueryState>
      </Card>
      {connections.data && connections.data.items.length > 0 ? (
        <nav aria-label="Pagination" className="flex items-center justify-between gap-4">
          <p className="text-sm text-muted-foreground">{count(connections.data.total, "connection")}</p>
          <div className="flex gap-2">
            {after ? (
              <Button variant="secondary" size="sm" onClick={() => void set({ after: null })}>
                First page
              </Button>
            ) : null}
            {connections.data.next ? (
              <Button
                variant="secondary"
                size="sm"
                onClick={() => void set({ after: connections.data.next })}
              >
                Next <ChevronRight aria-hidden />
              </Button>
            ) : null}
          </div>
        </nav>
      ) : null}
    </div>
  );
}

interface ConnectionTableProps {
  connections: readonly RealtimeConnection[];
  onOpen: (client: string) => void;
}

function ConnectionTable({ connections, onOpen }: ConnectionTableProps) {
  return (
    <Table label="Connections">
      <thead>
        <tr>
          <Th>User</Th>
          <Th>Transport</Th>
          <Th>Client</Th>
          <Th className="text-right">Channels</Th>
          <Th className="text-right">Not read yet</Th>
          <Th>Connected</Th>
        </tr>
      </thead>
      <tbody>
        {connections.map((connection) => (
          <Tr key={connection.client} className="relative" data-testid="connection">
            <Td className="max-w-48">
              <button
                type="button"
                onClick={() => onOpen(connection.client)}
                className="block max-w-full truncate font-medium after:absolute after:inset-0 hover:text-primary"
              >
                <Who user={connection.user} info={connection.info} />
              </button>
            </Td>
            <Td className="whitespace-nowrap text-muted-foreground">{connection.transport}</Td>
            <Td className="whitespace-nowrap text-muted-foreground">
              {[connection.name, connection.version].filter(Boolean).join(" ") || "–"}
            </Td>
            <Td className="text-right tabular-nums">{connection.channel_count}</Td>
            <Td
              className={cn(
                "text-right whitespace-nowrap tabular-nums",
                connection.queue_bytes > 0 ? "text-warning" : "text-muted-foreground",
              )}
            >
              {formatBytes(connection.queue_bytes)}
            </Td>
            <Td className="whitespace-nowrap text-muted-foreground">
              <RelativeTime at={connection.opened_at} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
