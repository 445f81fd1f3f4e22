"use client";

import type { FetchStatus } from "@tanstack/react-query";
import { RotateCw, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { ApiError, messageOf } from "@/lib/api/problem";
import { cn } from "@/lib/cn";

import { Button } from "./button";
import { ErrorState, OfflineState } from "./error-state";

/** As much of a query's result as is needed to show it. */
interface Result<T> {
  data: T | undefined;
  error: unknown;
  isError: boolean;
  isFetching: boolean;
  fetchStatus: FetchStatus;
  refetch: () => unknown;
}

interface QueryStateProps<T> {
  query: Result<T>;
  loading: ReactNode;
  children: (data: T) => ReactNode;
  /** What to show instead of the usual words when there is nothing to show. */
  failed?: (error: unknown) => ReactNode;
  className?: string;
}

/** After these answers, what was fetched before is not ours to look at any more, or is no more. */
const TAKEN_AWAY = new Set([401, 403, 404, 410]);

/**
 * What a query found. When asking again fails, what was found stays where it is, below a line that says so: a server
 * that restarts takes nobody's page away, nor what they typed into it.
 */
export function QueryState<T>({ query, loading, children, failed, className }: QueryStateProps<T>) {
  const gone = query.error instanceof ApiError && TAKEN_AWAY.has(query.error.status);
  if (query.data !== undefined && !gone) {
    return (
      <>
        {query.isError ? <Outdated query={query} /> : null}
        {children(query.data)}
      </>
    );
  }
  if (query.fetchStatus === "paused") return <OfflineState className={className} />;
  if (!query.isError) return loading;
  return (
    failed?.(query.error) ?? (
      <ErrorState error={query.error} onRetry={() => void query.refetch()} className={className} />
    )
  );
}

interface OutdatedProps {
  query: Pick<Result<unknown>, "error" | "isFetching" | "refetch">;
  className?: string;
}

/** Says beside what was found that asking again failed. */
export function Outdated({ query, className }: OutdatedProps) {
  return (
    <RetryLine
      title="This may be out of date."
      error={query.error}
      pending={query.isFetching}
      onRetry={() => void query.refetch()}
      className={className}
    />
  );
}

interface RetryLineProps {
  title: string;
  error: unknown;
  pending: boolean;
  onRetry: () => void;
  className?: string;
}

/** One line about something that failed beside what is still there. */
export function RetryLine({ title, error, pending, onRetry, className }: RetryLineProps) {
  return (
    <div
      role="alert"
      className={cn(
        "m-3 flex flex-wrap items-center gap-x-3 gap-y-1 rounded-md bg-warning-soft px-3 py-2 text-sm text-warning",
        className,
      )}
    >
      <TriangleAlert aria-hidden className="size-4 shrink-0" />
      <p className="min-w-0 flex-1">
        <span className="font-medium">{title}</span> {messageOf(error)}
      </p>
      <Button variant="ghost" size="sm" pending={pending} onClick={onRetry}>
        <RotateCw aria-hidden /> Try again
      </Button>
    </div>
  );
}
