"use client";

import { ListChecks } from "lucide-react";
import { parseAsInteger, parseAsString, parseAsStringLiteral, useQueryStates } from "nuqs";
import { useState } from "react";

import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Input } from "@/components/ui/input";
import { noSuchPage, Pagination, PastTheEnd } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { Job, JobState } from "@/lib/api/types";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { useJobs } from "../api/jobs";
import { JobDialog } from "./job-dialog";
import { JOB_STATES, JobStateBadge } from "./job-state";

const ALL = "all";
const STATES = Object.keys(JOB_STATES) as JobState[];
const OPTIONS = [
  { value: ALL, label: "All states" },
  ...STATES.map((state) => ({ value: state, label: JOB_STATES[state].label })),
] as const;
const TYPING_MS = 300;
/** As long as the API takes. */
const MAX_KIND = 100;

export function JobList() {
  const [{ page, state, kind }, set] = useQueryStates(
    {
      page: parseAsInteger.withDefault(1),
      state: parseAsStringLiteral(STATES),
      kind: parseAsString.withDefault(""),
    },
    { history: "push" },
  );
  const jobs = useJobs({
    page: Math.max(1, page),
    state: state ?? undefined,
    kind: useDebounced(kind.trim(), TYPING_MS) || undefined,
  });
  const [opened, setOpened] = useState<Job | null>(null);

  return (
    <div className="space-y-4">
      <div className="flex flex-wrap gap-3">
        <div className="w-44">
          <Select
            aria-label="State"
            options={OPTIONS}
            value={state ?? ALL}
            onChange={(value) => void set({ page: 1, state: value === ALL ? null : value })}
          />
        </div>
        <div className="w-56">
          <Input
            aria-label="Kind"
            maxLength={MAX_KIND}
            placeholder="Kind, such as exports.run"
            value={kind}
            onChange={(event) =>
              void set({ page: 1, kind: event.target.value || null }, { history: "replace" })
            }
          />
        </div>
      </div>
      <Card>
        <QueryState query={jobs} loading={<SkeletonRows />} failed={noSuchPage(() => void set({ page: 1 }))}>
          {({ items }) =>
            items.length > 0 ? (
              <JobTable jobs={items} onOpen={setOpened} />
            ) : page > 1 ? (
              <PastTheEnd onFirst={() => void set({ page: 1 })} />
            ) : (
              <Empty icon={ListChecks} title="No jobs here">
                Nothing matches the filter. Ended jobs are removed after a while.
              </Empty>
            )
          }
        </QueryState>
      </Card>
      {jobs.data && jobs.data.items.length > 0 ? (
        <Pagination
          page={page}
          pages={jobs.data.pages ?? 1}
          total={jobs.data.total ?? jobs.data.items.length}
          noun={jobs.data.total === 1 ? "job" : "jobs"}
          onPage={(next) => void set({ page: next })}
        />
      ) : null}
      <JobDialog opened={opened} onClose={() => setOpened(null)} />
    </div>
  );
}

function JobTable({ jobs, onOpen }: { jobs: readonly Job[]; onOpen: (job: Job) => void }) {
  return (
    <Table label="Jobs">
      <thead>
        <tr>
          <Th>Kind</Th>
          <Th>State</Th>
          <Th>Queue</Th>
          <Th className="text-right">Attempt</Th>
          <Th>Node</Th>
          <Th>Created</Th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <Tr key={job.id} className="relative">
            <Td>
              <button
                type="button"
                onClick={() => onOpen(job)}
                className="font-mono text-xs font-medium after:absolute after:inset-0 hover:text-primary"
              >
                {job.kind}
              </button>
            </Td>
            <Td>
              <JobStateBadge state={job.state} />
            </Td>
            <Td className="text-muted-foreground">{job.queue}</Td>
            <Td className="text-right tabular-nums">
              {job.attempt}
              {job.max_attempts === null ? null : ` / ${job.max_attempts}`}
            </Td>
            <Td className="max-w-32 truncate text-muted-foreground">{job.node ?? "–"}</Td>
            <Td className="whitespace-nowrap text-muted-foreground">
              <RelativeTime at={job.created_at} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
