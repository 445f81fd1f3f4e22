import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { JobState } from "@/lib/api/types";

export const PAGE_SIZE = 20;

/** Jobs come and go within seconds; a page that is looked at keeps up. */
const POLL_MS = 3_000;

const jobsKey = ["jobs"] as const;

export interface JobFilter {
  page: number;
  state?: JobState;
  kind?: string;
}

export function useJobs(filter: JobFilter) {
  return useQuery({
    queryKey: [...jobsKey, filter],
    queryFn: () => unwrap(api.GET("/api/v1/jobs", { params: { query: { ...filter, limit: PAGE_SIZE } } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  });
}

const one = (jobId: string) => ({ params: { path: { job_id: jobId } } });

/** One job, whatever list it is in. Ended ones stay as they are, until they are removed. */
export function useJob(jobId: string | null) {
  return useQuery({
    queryKey: [...jobsKey, "one", jobId],
    queryFn: () => unwrap(api.GET("/api/v1/jobs/{job_id}", one(jobId ?? ""))),
    enabled: jobId !== null,
    refetchInterval: ({ state }) => (state.data?.finished_at ? false : POLL_MS),
  });
}

export function useCancelJob() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (jobId: string) => unwrap(api.POST("/api/v1/jobs/{job_id}/cancel", one(jobId))),
    onSettled: () => queryClient.invalidateQueries({ queryKey: jobsKey }),
  });
}

export function useRetryJob() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (jobId: string) => unwrap(api.POST("/api/v1/jobs/{job_id}/retry", one(jobId))),
    onSettled: () => queryClient.invalidateQueries({ queryKey: jobsKey }),
  });
}
