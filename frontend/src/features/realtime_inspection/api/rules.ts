import { useQuery } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

const POLL_MS = 5_000;

/** The namespaces in force, by version; more than one while a changed file is being taken. */
export function useNamespaces() {
  return useQuery({
    queryKey: ["realtime", "namespaces"],
    queryFn: () => unwrap(api.GET("/api/v1/realtime/namespaces")),
    refetchInterval: POLL_MS,
  });
}

/** The processes that host shards. */
export function useShards() {
  return useQuery({
    queryKey: ["realtime", "shards"],
    queryFn: () => unwrap(api.GET("/api/v1/realtime/shards")),
    refetchInterval: POLL_MS,
  });
}
