import { useQuery } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

const SHOWN = 50;
const POLL_MS = 5_000;

export function useMailbox() {
  return useQuery({
    queryKey: ["mailbox", "list"],
    queryFn: () => unwrap(api.GET("/api/v1/dev/mailbox", { params: { query: { limit: SHOWN } } })),
    refetchInterval: POLL_MS,
  });
}

export function useMail(mailId: string | null) {
  return useQuery({
    queryKey: ["mailbox", "one", mailId],
    queryFn: () =>
      unwrap(api.GET("/api/v1/dev/mailbox/{mail_id}", { params: { path: { mail_id: mailId ?? "" } } })),
    enabled: mailId !== null,
    staleTime: Infinity,
  });
}
