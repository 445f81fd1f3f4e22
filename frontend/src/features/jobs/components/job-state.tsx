import { Badge, type Tone } from "@/components/ui/badge";
import type { JobState } from "@/lib/api/types";

export const JOB_STATES = {
  ready: { label: "Ready", tone: "neutral" },
  deferred: { label: "Deferred", tone: "violet" },
  running: { label: "Running", tone: "primary" },
  succeeded: { label: "Succeeded", tone: "success" },
  failed: { label: "Failed", tone: "danger" },
  cancelled: { label: "Cancelled", tone: "neutral" },
} as const satisfies Record<JobState, { label: string; tone: Tone }>;

export function JobStateBadge({ state }: { state: JobState }) {
  const { label, tone } = JOB_STATES[state];
  return (
    <Badge tone={tone} data-testid="job-state">
      {label}
    </Badge>
  );
}
