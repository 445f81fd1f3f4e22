"use client";

import { Download, FileSpreadsheet, FileText } from "lucide-react";

import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Progress } from "@/components/ui/progress";
import { QueryState, RetryLine } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { Loading, Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { ExportState, ExportSummary } from "@/lib/api/types";
import { count, formatBytes, formatDateTime, formatInteger, humanise } from "@/lib/format";

import { FORMATS, isActive, useCancelExport, useDownload, useExportFiles } from "../api/exports";

const STATES: Record<ExportState, { label: string; tone: Tone }> = {
  queued: { label: "Waiting", tone: "neutral" },
  running: { label: "Running", tone: "primary" },
  succeeded: { label: "Ready", tone: "success" },
  failed: { label: "Failed", tone: "danger" },
  cancelled: { label: "Cancelled", tone: "neutral" },
  expired: { label: "Expired", tone: "neutral" },
};

export function ExportRow({ item }: { item: ExportSummary }) {
  const { label, tone } = STATES[item.state];
  const Icon = item.format === "csv" || item.format === "ndjson" ? FileText : FileSpreadsheet;
  return (
    <li data-testid="export" data-state={item.state} className="space-y-3 px-5 py-4">
      <div className="flex items-center gap-3">
        <span className="flex size-9 shrink-0 items-center justify-center rounded-md bg-muted text-muted-foreground">
          <Icon aria-hidden className="size-4.5" />
        </span>
        <div className="min-w-0 flex-1">
          <p className="truncate text-sm font-medium">
            {humanise(item.dataset)} <span className="text-muted-foreground">as {FORMATS[item.format]}</span>
          </p>
          <p className="text-xs text-muted-foreground">
            Started <RelativeTime at={item.created_at} />
            {item.expires_at && item.state === "succeeded"
              ? ` · kept until ${formatDateTime(item.expires_at)}`
              : null}
          </p>
        </div>
        <Badge tone={tone}>{label}</Badge>
      </div>
      {isActive(item) ? <Running item={item} /> : null}
      {item.state === "failed" && item.error ? (
        <p className="text-sm break-words text-danger">{item.error}</p>
      ) : null}
      {item.state === "succeeded" ? <Files item={item} /> : null}
    </li>
  );
}

function Running({ item }: { item: ExportSummary }) {
  const cancel = useCancelExport();
  const { rows, total, percent } = item.progress;
  const value = total === null ? null : percent;
  return (
    <div>
      <Progress label={`Progress of the ${item.dataset} export`} value={value} />
      <div className="mt-2 flex items-center justify-between gap-3">
        <p className="text-xs text-muted-foreground tabular-nums" role="status">
          {total === null
            ? item.state === "queued"
              ? "Waiting for a worker"
              : "Counting rows"
            : `${formatInteger(rows)} of ${count(total, "row")} · ${Math.floor(percent)}%`}
        </p>
        <Button
          variant="ghost"
          size="sm"
          pending={cancel.isPending}
          onClick={() =>
            cancel.mutate(item.id, { onError: (error) => toast.error("It was not cancelled", error) })
          }
        >
          Cancel
        </Button>
      </div>
    </div>
  );
}

function Files({ item }: { item: ExportSummary }) {
  const details = useExportFiles(item.id, true);
  const download = useDownload();
  return (
    <QueryState
      query={details}
      loading={
        <Loading label="Loading files">
          <Skeleton className="h-13" />
        </Loading>
      }
      failed={(error) => (
        <RetryLine
          title="The files could not be listed."
          error={error}
          pending={details.isFetching}
          onRetry={() => void details.refetch()}
          className="m-0"
        />
      )}
    >
      {({ files }) => (
        <ul className="space-y-2">
          {files.map((file) => (
            <li
              key={file.name}
              className="flex flex-wrap items-center justify-between gap-3 rounded-md bg-muted/60 px-3 py-2"
            >
              <span className="min-w-0">
                <span className="block truncate font-mono text-xs">{file.name}</span>
                <span className="block text-xs text-muted-foreground tabular-nums">
                  {count(file.rows, "row")} · {formatBytes(file.bytes)}
                </span>
              </span>
              <Button
                variant="secondary"
                size="sm"
                aria-label={`Download ${file.name}`}
                pending={download.isPending && download.variables.name === file.name}
                onClick={() =>
                  download.mutate(
                    { exportId: item.id, name: file.name },
                    { onError: (error) => toast.error("The file could not be downloaded", error) },
                  )
                }
              >
                <Download aria-hidden /> Download
              </Button>
            </li>
          ))}
        </ul>
      )}
    </QueryState>
  );
}
