import { isTimeout, Unreachable } from "./problem";

/** How long an answer is waited for: longer than the slowest takes, shorter than anybody watches a spinner. */
const LIMIT_MS = 30_000;

/** JSON is answered in no time. What carries a file takes as long as it takes. */
function limitOf(request: Request): number | null {
  const type = request.headers.get("content-type");
  return type === null || type.startsWith("application/json") ? LIMIT_MS : null;
}

/** `AbortSignal.any`, which browsers that everything else here runs in do not have (Safari before 17.4, Firefox before 124). */
function anyOf(signals: readonly AbortSignal[]): AbortSignal {
  if ("any" in AbortSignal) return AbortSignal.any([...signals]);
  const either = new AbortController();
  for (const signal of signals) {
    const abort = () => either.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true, signal: either.signal });
  }
  return either.signal;
}

/**
 * fetch, which says a network that fails and a mistake in the call with one and the same TypeError; here it is told. So
 * is an answer that does not come within the limit.
 */
export async function reach(
  input: Request | URL,
  init?: RequestInit & { limitMs?: number },
): Promise<Response> {
  const { limitMs, ...rest } = init ?? {};
  const request = new Request(input, rest);
  const limit = limitMs ?? limitOf(request);
  const signal = limit === null ? request.signal : anyOf([request.signal, AbortSignal.timeout(limit)]);
  try {
    return await fetch(request, { signal });
  } catch (error) {
    throw error instanceof TypeError || isTimeout(error) ? new Unreachable(error) : error;
  }
}
