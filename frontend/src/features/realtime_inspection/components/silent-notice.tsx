import { TriangleAlert } from "lucide-react";

/** Says what is missing from an answer, so that nobody takes a part for the whole. */
export function SilentNotice({ silent }: { silent: readonly string[] }) {
  if (silent.length === 0) return null;
  return (
    <div role="status" className="flex gap-2.5 rounded-md bg-warning-soft px-3 py-2.5 text-sm text-warning">
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
      <p>
        {silent.length === 1
          ? "One realtime process did not answer in time; what it holds is missing here."
          : `${silent.length} realtime processes did not answer in time; what they hold is missing here.`}
      </p>
    </div>
  );
}
