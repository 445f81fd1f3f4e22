"use client";

import { FileArchive } from "lucide-react";

import { Card, CardHeader, CardTitle } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { noSuchPage, Pagination, PastTheEnd } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";

import { useExports } from "../api/exports";
import { useExportPage } from "../hooks/use-export-page";
import { useLiveExports } from "../hooks/use-live-exports";
import { ExportRow } from "./export-row";

export function ExportList() {
  useLiveExports();
  const [page, setPage] = useExportPage();
  const exports = useExports(page);
  return (
    <Card>
      <CardHeader>
        <CardTitle>Your exports</CardTitle>
      </CardHeader>
      <QueryState query={exports} loading={<SkeletonRows rows={3} />} failed={noSuchPage(() => setPage(1))}>
        {({ items, total, pages }) =>
          items.length === 0 && page > 1 ? (
            <PastTheEnd onFirst={() => setPage(1)} />
          ) : items.length === 0 ? (
            <Empty icon={FileArchive} title="No exports yet">
              Choose a dataset and a format. Progress shows here, and the file when it is done.
            </Empty>
          ) : (
            <>
              <ul aria-label="Exports" className="divide-y border-t">
                {items.map((item) => (
                  <ExportRow key={item.id} item={item} />
                ))}
              </ul>
              {(pages ?? 1) > 1 ? (
                <div className="border-t px-5 py-3">
                  <Pagination
                    page={page}
                    pages={pages ?? 1}
                    total={total ?? 0}
                    noun="exports"
                    onPage={setPage}
                  />
                </div>
              ) : null}
            </>
          )
        }
      </QueryState>
    </Card>
  );
}
