import { cn } from "@/lib/cn";

import { Card } from "./card";

export function Skeleton({ className }: { className?: string }) {
  return (
    <div data-slot="skeleton" aria-hidden className={cn("animate-shimmer rounded-md bg-muted", className)} />
  );
}

/** Says once, to those who cannot see the shimmer, that something is on its way. */
export function Loading({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div role="status" aria-busy="true">
      <span className="sr-only">{label}</span>
      {children}
    </div>
  );
}

/** The same in a card of its own. */
export function LoadingCard({ rows }: { rows?: number }) {
  return (
    <Card>
      <SkeletonRows rows={rows} />
    </Card>
  );
}

export function SkeletonRows({ rows = 5, className }: { rows?: number; className?: string }) {
  return (
    <Loading label="Loading">
      <div className="space-y-3 p-5">
        {Array.from({ length: rows }, (_, row) => (
          <Skeleton key={row} className={cn("h-10", className)} />
        ))}
      </div>
    </Loading>
  );
}
