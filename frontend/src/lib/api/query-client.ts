import { QueryClient } from "@tanstack/react-query";

import { ApiError } from "./problem";

const MAX_RETRIES = 2;

/** Who is told to come back later than this is told so, instead of looking at something that loads. */
const MAX_WAIT_S = 20;

/**
 * What the server refused, it will refuse again; what it could not answer is worth another try, and so is what it
 * asked us to bring again soon.
 */
export function shouldRetry(failures: number, error: unknown): boolean {
  if (error instanceof ApiError) {
    const busy = error.status === 429 && (error.retryAfter ?? 0) <= MAX_WAIT_S;
    if (error.status < 500 && !busy) return false;
  }
  return failures < MAX_RETRIES;
}

/** As long as the server asked for; otherwise one second, two, four. A little more each, so that not all come at once. */
export function retryDelay(failures: number, error: unknown, chance = Math.random()): number {
  const asked = error instanceof ApiError ? error.retryAfter : null;
  const seconds = asked !== null && asked <= MAX_WAIT_S ? asked : 2 ** failures;
  return seconds * 1_000 + chance * 500;
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: shouldRetry, retryDelay, staleTime: 15_000 },
      // Offline, an act fails at once and is told: one that waits for the network holds its form, and is done long after
      // whoever asked for it has given up.
      mutations: { retry: false, networkMode: "always" },
    },
  });
}
