"use client";

import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Card } from "@/components/ui/card";
import { CursorPagination, noSuchPage } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";

interface TrailStateProps<T> {
  query: UseQueryResult<{ items: T[]; next: string | null; prev: string | null }>;
  /** What is shown when there is nothing. */
  empty: ReactNode;
  onPage: (cursor: string | null) => void;
  children: (items: readonly T[]) => ReactNode;
}

/** A page of a trail, and the ways to those beside it. */
export function TrailState<T>({ query, empty, onPage, children }: TrailStateProps<T>) {
  return (
    <>
      <Card className={cn("transition-opacity", query.isPlaceholderData && "opacity-60")}>
        <QueryState
          query={query}
          loading={<SkeletonRows />}
          // A cursor belongs to its filters: an address that somebody changed by hand has none.
          failed={noSuchPage(() => onPage(null))}
        >
          {({ items }) => (items.length === 0 ? empty : children(items))}
        </QueryState>
      </Card>
      {query.data ? <CursorPagination next={query.data.next} prev={query.data.prev} onPage={onPage} /> : null}
    </>
  );
}
