"use client";

import { FileArchive } from "lucide-react";
import { useState } from "react";

import { Card, CardHeader, CardTitle } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { ErrorState } from "@/components/ui/error-state";
import { Pagination } from "@/components/ui/pagination";
import { SkeletonRows } from "@/components/ui/skeleton";

import { useExports } from "../api/exports";
import { useLiveExports } from "../hooks/use-live-exports";
import { ExportRow } from "./export-row";

export function ExportList() {
  useLiveExports();
  const [page, setPage] = useState(1);
  const exports = useExports(page);
  return (
    <Card>
      <CardHeader>
        <CardTitle>Your exports</CardTitle>
      </CardHeader>
      {exports.isPending ? (
        <SkeletonRows rows={3} />
      ) : exports.isError ? (
        <ErrorState error={exports.error} onRetry={() => void exports.refetch()} />
      ) : exports.data.items.length === 0 ? (
        <Empty icon={FileArchive} title="No exports yet">
          Choose a dataset and a format. Progress shows here, and the file when it is done.
        </Empty>
      ) : (
        <>
          <ul aria-label="Exports" className="divide-y border-t">
            {exports.data.items.map((item) => (
              <ExportRow key={item.id} item={item} />
            ))}
          </ul>
          {(exports.data.pages ?? 1) > 1 ? (
            <div className="border-t px-5 py-3">
              <Pagination
                page={page}
                pages={exports.data.pages ?? 1}
                total={exports.data.total ?? 0}
                noun="exports"
                onPage={setPage}
              />
            </div>
          ) : null}
        </>
      )}
    </Card>
  );
}
