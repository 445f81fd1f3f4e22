"use client";

import { RotateCw, TriangleAlert, WifiOff } from "lucide-react";
import type { ReactNode } from "react";

import { ApiError, isMistyped, isNotThere, messageOf } from "@/lib/api/problem";
import { cn } from "@/lib/cn";

import { Button } from "./button";

interface ErrorStateProps {
  error?: unknown;
  /** Instead of what can be said of `error`. */
  explained?: string;
  title?: string;
  onRetry?: () => void;
  className?: string;
}

/** What went wrong, in words, with the request id to quote and a way to try again. */
export function ErrorState({
  error,
  explained,
  title = isNotThere(error) ? "There is nothing at this address" : "This could not be loaded",
  onRetry,
  className,
}: ErrorStateProps) {
  const mistyped = isMistyped(error); // Nobody has to look into that, and trying again is of no use.
  return (
    <div role="alert" className={cn("flex flex-col items-center px-6 py-12 text-center", className)}>
      <span className="mb-4 flex size-12 items-center justify-center rounded-full bg-danger-soft text-danger">
        <TriangleAlert aria-hidden className="size-6" />
      </span>
      <h2 className="text-base font-semibold">{title}</h2>
      <p className="mt-1 max-w-md text-sm text-muted-foreground">
        {explained ?? (mistyped ? "The link was mistyped, or cut short." : messageOf(error))}
      </p>
      {mistyped ? null : <RequestId error={error} />}
      {onRetry && !mistyped ? (
        <Button variant="secondary" size="sm" className="mt-5" onClick={onRetry}>
          <RotateCw aria-hidden /> Try again
        </Button>
      ) : null}
    </div>
  );
}

/** There is no network, and what is asked for will be fetched by itself once there is one. */
export function OfflineState({ className }: { className?: string }) {
  return (
    <div role="alert" className={cn("flex flex-col items-center px-6 py-12 text-center", className)}>
      <span className="mb-4 flex size-12 items-center justify-center rounded-full bg-warning-soft text-warning">
        <WifiOff aria-hidden className="size-6" />
      </span>
      <h2 className="text-base font-semibold">You are offline</h2>
      <p className="mt-1 max-w-md text-sm text-muted-foreground">This loads as soon as you are connected.</p>
    </div>
  );
}

export function RequestId({ error }: { error: unknown }) {
  if (!(error instanceof ApiError) || !error.requestId) return null;
  return (
    <p className="mt-2 text-xs text-muted-foreground">
      Request <code className="font-mono select-all">{error.requestId}</code>
    </p>
  );
}

/** The same beside a form: shorter, and announced when it appears. */
export function FormError({ error, children }: { error: unknown; children?: ReactNode }) {
  if (!error) return null;
  return (
    <div role="alert" className="flex gap-2.5 rounded-md bg-danger-soft px-3 py-2.5 text-sm text-danger">
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
      <div>
        <p className="font-medium">{messageOf(error)}</p>
        {children}
        {error instanceof ApiError && error.requestId ? (
          <p className="mt-0.5 font-mono text-xs opacity-80">Request {error.requestId}</p>
        ) : null}
      </div>
    </div>
  );
}
