"use client";

import { PlugZap } from "lucide-react";
import { parseAsString, useQueryState } from "nuqs";

import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Input } from "@/components/ui/input";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { EndedConnection } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { formatBytes, formatDuration } from "@/lib/format";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { useEndings } from "../api/connections";
import { CloseCode } from "./close-code";
import { SilentNotice } from "./silent-notice";
import { Who } from "./who";

const SHOWN = 100;
const TYPING_MS = 300;
/** As long as the API takes. */
const MAX_ID = 255;

export function EndingList({ onOpen }: { onOpen: (client: string) => void }) {
  // Not "of": that is whose connections the other tab shows, where it may be a channel.
  const [of, setOf] = useQueryState(
    "ended",
    parseAsString.withDefault("").withOptions({ history: "replace" }),
  );
  const user = useDebounced(of.trim(), TYPING_MS);
  const endings = useEndings({ user, limit: SHOWN });
  return (
    <div className="space-y-4">
      <div role="search" className="w-72 max-w-full">
        <Input
          type="search"
          aria-label="Endings of"
          maxLength={MAX_ID}
          placeholder="Username or id"
          value={of}
          onChange={(event) => void setOf(event.target.value || null)}
        />
      </div>
      {endings.data ? <SilentNotice silent={endings.data.silent} /> : null}
      <Card className={cn(endings.isPlaceholderData && "opacity-60")}>
        <QueryState query={endings} loading={<SkeletonRows />}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty
                icon={PlugZap}
                title={user ? "No connection of anybody like that has ended" : "No connection has ended"}
              >
                {user ? "Usernames and ids are matched whole. " : null}
                Each realtime process remembers its last thousand endings.
              </Empty>
            ) : (
              <EndingTable endings={items} onOpen={onOpen} />
            )
          }
        </QueryState>
      </Card>
      {endings.data?.items.length === SHOWN ? (
        <p className="text-sm text-muted-foreground">The last {SHOWN}. Name a user to look further back.</p>
      ) : null}
    </div>
  );
}

interface EndingTableProps {
  endings: readonly EndedConnection[];
  onOpen: (client: string) => void;
}

function EndingTable({ endings, onOpen }: EndingTableProps) {
  return (
    <Table label="Ended connections">
      <thead>
        <tr>
          <Th>User</Th>
          <Th>Why</Th>
          <Th>Transport</Th>
          <Th className="text-right">Lasted</Th>
          <Th className="text-right">Not read</Th>
          <Th>Ended</Th>
        </tr>
      </thead>
      <tbody>
        {endings.map((ending) => (
          <Tr key={`${ending.node} ${ending.client}`} className="relative" data-testid="ending">
            <Td className="max-w-48">
              <button
                type="button"
                onClick={() => onOpen(ending.client)}
                className="block max-w-full truncate font-medium after:absolute after:inset-0 hover:text-primary"
              >
                <Who user={ending.user} info={ending.info} />
              </button>
            </Td>
            <Td>
              <CloseCode code={ending.code} reason={ending.reason} />
            </Td>
            <Td className="whitespace-nowrap text-muted-foreground">{ending.transport}</Td>
            <Td className="text-right whitespace-nowrap tabular-nums">{lasted(ending)}</Td>
            <Td className="text-right whitespace-nowrap text-muted-foreground tabular-nums">
              {formatBytes(ending.queue_bytes)}
            </Td>
            <Td className="whitespace-nowrap text-muted-foreground">
              <RelativeTime at={ending.ended_at} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}

function lasted({ opened_at, ended_at }: EndedConnection): string {
  return formatDuration((Date.parse(ended_at) - Date.parse(opened_at)) / 1000);
}
