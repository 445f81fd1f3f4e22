import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

export const apiKeysQuery = queryOptions({
  queryKey: ["auth", "api-keys"],
  queryFn: () => unwrap(api.GET("/api/v1/auth/api-keys")),
});

export function useApiKeys() {
  return useQuery(apiKeysQuery);
}

export interface NewApiKey {
  name: string;
  scopes: string[];
  expires_in_days: number | null;
}

export function useCreateApiKey() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (key: NewApiKey) => unwrap(api.POST("/api/v1/auth/api-keys", { body: key })),
    // The answer carries the secret: kept no longer than the dialog that shows it, and shown before the list is fetched.
    gcTime: 0,
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: apiKeysQuery.queryKey }),
  });
}

export function useRevokeApiKey() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (keyId: string) =>
      unwrap(api.DELETE("/api/v1/auth/api-keys/{key_id}", { params: { path: { key_id: keyId } } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: apiKeysQuery.queryKey }),
  });
}
