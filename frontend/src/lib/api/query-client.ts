import { QueryClient } from "@tanstack/react-query";

import { ApiError } from "./problem";

const MAX_RETRIES = 2;

/** What the server refused, it will refuse again; what it could not answer is worth another try. */
export function shouldRetry(failures: number, error: unknown): boolean {
  if (error instanceof ApiError && error.status < 500) return false;
  return failures < MAX_RETRIES;
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: shouldRetry, staleTime: 15_000 },
      mutations: { retry: false },
    },
  });
}
