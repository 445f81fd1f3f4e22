import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { ExportFormat, ExportSummary } from "@/lib/api/types";
import { useIdempotencyKey } from "@/lib/hooks/use-idempotency-key";
import type { ExportProgressEvent } from "@/lib/realtime/events";

export const PAGE_SIZE = 10;

export const FORMATS: Record<ExportFormat, string> = {
  parquet: "Parquet",
  arrow: "Arrow",
  csv: "CSV",
  ndjson: "NDJSON",
};

/** Progress is pushed; this is for the case that the push does not arrive. */
const SAFETY_POLL_MS = 5_000;

export const exportsKey = ["exports", "list"] as const;

export function isActive({ state }: Pick<ExportSummary, "state">): boolean {
  return state === "queued" || state === "running";
}

export const exportsQuery = (page: number) =>
  queryOptions({
    queryKey: [...exportsKey, page],
    queryFn: () => unwrap(api.GET("/api/v1/exports", { params: { query: { page, limit: PAGE_SIZE } } })),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.items.some(isActive) ? SAFETY_POLL_MS : false),
  });

export type ExportPage = Awaited<ReturnType<NonNullable<ReturnType<typeof exportsQuery>["queryFn"]>>>;

export function useExports(page: number) {
  return useQuery(exportsQuery(page));
}

/** The page after a progress event. An export that has ended stays ended, whatever arrives late. */
export function withProgress(
  page: ExportPage | undefined,
  event: ExportProgressEvent,
): ExportPage | undefined {
  if (!page) return page;
  return {
    ...page,
    items: page.items.map((item) =>
      item.id === event.export_id && isActive(item)
        ? {
            ...item,
            state: event.state,
            progress: {
              rows: event.rows,
              total: event.total,
              percent: event.percent ?? item.progress.percent,
            },
          }
        : item,
    ),
  };
}

export function useDatasets() {
  return useQuery({
    queryKey: ["export-datasets"],
    queryFn: () => unwrap(api.GET("/api/v1/export-datasets")),
    staleTime: Infinity,
  });
}

export interface NewExport {
  dataset: string;
  format: ExportFormat;
  filters: Record<string, string>;
}

export function useCreateExport() {
  const queryClient = useQueryClient();
  const { keyOf, done } = useIdempotencyKey();
  return useMutation({
    mutationFn: (body: NewExport) =>
      unwrap(api.POST("/api/v1/exports", { body, params: { header: { "idempotency-key": keyOf(body) } } })),
    onSuccess: () => {
      done();
      return queryClient.invalidateQueries({ queryKey: exportsKey });
    },
  });
}

const one = (exportId: string) => ({ params: { path: { export_id: exportId } } });

export function useCancelExport() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (exportId: string) => unwrap(api.POST("/api/v1/exports/{export_id}/cancel", one(exportId))),
    onSettled: () => queryClient.invalidateQueries({ queryKey: exportsKey }),
  });
}

/** The files of a finished export; asked for when somebody wants them. */
export function useExportFiles(exportId: string, enabled: boolean) {
  return useQuery({
    queryKey: ["exports", "one", exportId],
    queryFn: () => unwrap(api.GET("/api/v1/exports/{export_id}", one(exportId))),
    enabled,
  });
}

/** Makes a short-lived link and follows it: the browser downloads the file itself, streamed and resumable. */
export function useDownload() {
  return useMutation({
    mutationFn: ({ exportId, name }: { exportId: string; name?: string }) =>
      unwrap(api.POST("/api/v1/exports/{export_id}/link", { ...one(exportId), body: { name } })),
    onSuccess: ({ url, name }) => {
      const anchor = document.createElement("a");
      anchor.href = sameOrigin(url);
      anchor.download = name;
      document.body.append(anchor);
      anchor.click();
      anchor.remove();
    },
  });
}

/** Links lead through our own origin, whatever host the API believes to have. */
function sameOrigin(url: string): string {
  const { pathname, search } = new URL(url, window.location.origin);
  return `${pathname}${search}`;
}
