import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

import { userId } from "./connections";

const tracesKey = ["realtime", "traces"] as const;

const POLL_MS = 5_000;

export const TARGETS = ["user", "channel", "client"] as const;
export type Target = (typeof TARGETS)[number];

export interface TraceOrder {
  target: Target;
  value: string;
  seconds: number;
}

/** Traces that are under way, whoever began them. */
export function useTraces() {
  return useQuery({
    queryKey: tracesKey,
    queryFn: () => unwrap(api.GET("/api/v1/realtime/traces")),
    refetchInterval: POLL_MS,
  });
}

export function useStartTrace() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: async ({ target, value, seconds }: TraceOrder) => {
      const wanted = target === "user" ? await userId(value) : value.trim();
      const body = { [target]: wanted, seconds, frames: 1_000 };
      return unwrap(api.POST("/api/v1/realtime/traces", { body }));
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: tracesKey }),
  });
}

export function useStopTrace() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (traceId: string) =>
      unwrap(api.DELETE("/api/v1/realtime/traces/{trace_id}", { params: { path: { trace_id: traceId } } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: tracesKey }),
  });
}
