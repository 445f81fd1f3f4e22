"use client";

import { Button } from "@/components/ui/button";
import { Dialog, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { JsonBlock } from "@/components/ui/json-block";
import { Outdated } from "@/components/ui/query-state";
import { toast } from "@/components/ui/toast";
import type { Job } from "@/lib/api/types";
import { can, useCurrentUser } from "@/lib/current-user";
import { formatDateTime } from "@/lib/format";

import { useCancelJob, useJob, useRetryJob } from "../api/jobs";
import { JobStateBadge } from "./job-state";

const CANCELLABLE = new Set<Job["state"]>(["ready", "deferred", "running"]);
const RETRIABLE = new Set<Job["state"]>(["failed", "cancelled"]);

interface JobDialogProps {
  /** As the list showed it when it was opened; from then on it is asked for itself, on whichever page it is by now. */
  opened: Job | null;
  onClose: () => void;
}

export function JobDialog({ opened, onClose }: JobDialogProps) {
  const asked = useJob(opened?.id ?? null);
  const job = asked.data ?? opened;
  return (
    <Dialog open={opened !== null} onOpenChange={(open) => !open && onClose()}>
      {job ? (
        <DialogContent title={job.kind} description={`Queue ${job.queue} · ${job.id}`} className="max-w-2xl">
          {asked.isError ? <Outdated query={asked} className="mx-0 mt-0" /> : null}
          <Details job={job} />
          <Actions job={job} onDone={onClose} />
        </DialogContent>
      ) : null}
    </Dialog>
  );
}

function Details({ job }: { job: Job }) {
  const times = [
    ["Created", job.created_at],
    ["Due", job.run_at],
    ["Started", job.started_at],
    ["Finished", job.finished_at],
  ] as const;
  return (
    <div className="max-h-[55dvh] space-y-4 overflow-y-auto">
      <div className="flex flex-wrap items-center gap-x-6 gap-y-2 text-sm">
        <JobStateBadge state={job.state} />
        {times.map(([label, at]) =>
          at ? (
            <span key={label} className="text-muted-foreground">
              {label} <time className="text-foreground tabular-nums">{formatDateTime(at)}</time>
            </span>
          ) : null,
        )}
        {job.key ? (
          <span className="text-muted-foreground">
            Key <span className="text-foreground">{job.key}</span>
          </span>
        ) : null}
        {job.cancel_requested ? <span className="text-warning">Asked to stop</span> : null}
      </div>
      <JsonBlock title="Arguments" value={job.args} />
      {job.progress ? <JsonBlock title="Progress" value={job.progress} /> : null}
      {job.result === null || job.result === undefined ? null : (
        <JsonBlock title="Result" value={job.result} />
      )}
      {job.errors.length > 0 ? <JsonBlock title="Failed attempts" value={job.errors} /> : null}
    </div>
  );
}

function Actions({ job, onDone }: { job: Job; onDone: () => void }) {
  const user = useCurrentUser();
  const cancel = useCancelJob();
  const retry = useRetryJob();
  if (!can(user, "jobs:manage")) return null;
  return (
    <DialogFooter>
      {CANCELLABLE.has(job.state) ? (
        <Button
          variant="danger"
          pending={cancel.isPending}
          onClick={() =>
            cancel.mutate(job.id, {
              onSuccess: onDone,
              onError: (error) => toast.error("The job was not cancelled", error),
            })
          }
        >
          Cancel job
        </Button>
      ) : null}
      {RETRIABLE.has(job.state) ? (
        <Button
          pending={retry.isPending}
          onClick={() =>
            retry.mutate(job.id, {
              onSuccess: () => {
                toast.success("A new job was made of it");
                onDone();
              },
              onError: (error) => toast.error("The job could not be run again", error),
            })
          }
        >
          Run again
        </Button>
      ) : null}
    </DialogFooter>
  );
}
