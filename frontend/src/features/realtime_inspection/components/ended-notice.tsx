"use client";

import { PlugZap } from "lucide-react";

import { Empty } from "@/components/ui/empty";
import { formatBytes, formatDateTime } from "@/lib/format";

import { useEndings } from "../api/connections";
import { CloseCode } from "./close-code";
import { LastFrames } from "./last-frames";

/** What is still known of a connection that is not there any more. */
export function EndedNotice({ client }: { client: string }) {
  const endings = useEndings({ client, limit: 1 });
  const ending = endings.data?.items[0];
  return (
    <>
      <Empty icon={PlugZap} title="This connection has ended">
        {ending ? (
          <div className="mt-3 space-y-2">
            <CloseCode code={ending.code} reason={ending.reason} />
            <p>
              {formatDateTime(ending.ended_at)}
              {ending.queue_bytes > 0 ? ` · ${formatBytes(ending.queue_bytes)} were not read` : ""}
            </p>
          </div>
        ) : endings.isPending ? null : (
          "No process remembers how: each keeps its last thousand endings."
        )}
      </Empty>
      {ending && ending.frames.length > 0 ? (
        <section className="p-5">
          <h3 className="mb-2 text-sm font-semibold">Last frames</h3>
          <LastFrames frames={ending.frames} />
        </section>
      ) : null}
    </>
  );
}
