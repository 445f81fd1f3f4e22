import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

export const PAGE_SIZE = 25;

/** Connections come and go all the time; a page that is looked at keeps up. */
const POLL_MS = 3_000;

const realtimeKey = ["realtime"] as const;

export const SUBJECTS = ["user", "channel", "session"] as const;
export type Subject = (typeof SUBJECTS)[number];

export interface ConnectionFilter {
  subject: Subject;
  value: string;
  after?: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The id behind what an operator types: a person's username, or an id as it is. Users of another issuer are in no
 * directory of ours, so what nobody is called is taken for an id too.
 */
export async function userId(text: string): Promise<string> {
  const wanted = text.trim();
  if (!wanted || UUID.test(wanted)) return wanted;
  const { data } = await api.GET("/api/v1/directory", {
    params: { query: { q: wanted.slice(0, 50), limit: 50 } },
  });
  const found = data?.items.find(({ username }) => username.toLowerCase() === wanted.toLowerCase());
  return found?.id ?? wanted;
}

export function useConnections({ subject, value, after }: ConnectionFilter) {
  return useQuery({
    queryKey: [...realtimeKey, "connections", subject, value, after],
    queryFn: async () => {
      const wanted = subject === "user" ? await userId(value) : value;
      const condition = wanted ? { [subject]: wanted } : {};
      const query = { ...condition, after, limit: PAGE_SIZE };
      return unwrap(api.GET("/api/v1/realtime/connections", { params: { query } }));
    },
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  });
}

const one = (client: string) => ({ params: { path: { client } } });

/** One connection; once it has ended it is not found, and nobody asks any more. */
export function useConnection(client: string | null) {
  return useQuery({
    queryKey: [...realtimeKey, "connection", client],
    queryFn: () => unwrap(api.GET("/api/v1/realtime/connections/{client}", one(client ?? ""))),
    enabled: client !== null,
    retry: false,
    refetchInterval: (query) => (query.state.status === "error" ? false : POLL_MS),
  });
}

/** How one connection ended, or the last ones of everybody or of one user. */
export function useEndings({ user = "", client, limit }: { user?: string; client?: string; limit: number }) {
  return useQuery({
    queryKey: [...realtimeKey, "endings", user, client, limit],
    queryFn: async () => {
      const query = { user: (await userId(user)) || undefined, client, limit };
      return unwrap(api.GET("/api/v1/realtime/endings", { params: { query } }));
    },
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  });
}

export function useNodes() {
  return useQuery({
    queryKey: [...realtimeKey, "nodes"],
    queryFn: () => unwrap(api.GET("/api/v1/realtime/nodes")),
    refetchInterval: POLL_MS,
  });
}

export function useCloseConnection() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (client: string) => unwrap(api.DELETE("/api/v1/realtime/connections/{client}", one(client))),
    onSettled: () => queryClient.invalidateQueries({ queryKey: realtimeKey }),
  });
}

export function useRevokeUser() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (user: string) =>
      unwrap(api.DELETE("/api/v1/realtime/users/{user}/sessions", { params: { path: { user } } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: realtimeKey }),
  });
}
