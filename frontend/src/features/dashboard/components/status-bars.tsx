import { formatInteger, humanise } from "@/lib/format";

/** Longest first; the scale is the longest bar. */
export function StatusBars({ counts }: { counts: Readonly<Record<string, number>> }) {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  const longest = Math.max(1, ...rows.map(([, count]) => count));
  if (rows.length === 0) return <p className="text-sm text-muted-foreground">No orders yet.</p>;
  return (
    <dl className="space-y-3">
      {rows.map(([status, count]) => (
        <div key={status} className="grid grid-cols-[5.5rem_1fr_3.5rem] items-center gap-3 text-sm">
          <dt className="text-muted-foreground">{humanise(status)}</dt>
          <dd aria-hidden className="h-2 overflow-hidden rounded-full bg-muted">
            <span
              className="block h-full rounded-full bg-primary transition-[width] duration-500"
              style={{ width: `${(count / longest) * 100}%` }}
            />
          </dd>
          <dd className="text-right font-medium tabular-nums">{formatInteger(count)}</dd>
        </div>
      ))}
    </dl>
  );
}
