import type { components } from "./schema.gen";

/** RFC 9457 as the API writes it. Read defensively: a proxy in between may answer something else. */
export type Problem = Partial<components["schemas"]["Problem"]>;

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;
  readonly fieldErrors: ReadonlyMap<string, string>;
  readonly retryAfter: number | null;
  /** What this kind of problem says beyond the usual (RFC 9457, 3.2), such as which lines of an order are short. */
  readonly extension: Readonly<Record<string, unknown>>;

  constructor(response: Response, problem: Problem | undefined) {
    super(problem?.detail || problem?.title || fallbackMessage(response.status));
    this.name = "ApiError";
    this.status = response.status;
    this.code = problem?.code ?? `http_${response.status}`;
    this.requestId = problem?.request_id ?? response.headers.get("x-request-id");
    this.fieldErrors = new Map((problem?.errors ?? []).map((item) => [fieldOf(item.pointer), item.message]));
    this.extension = problem ?? {};
    const retryAfter = Number(response.headers.get("retry-after"));
    this.retryAfter = Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null;
  }
}

/** What is asked for is not there: it was removed, was never ours to see, or the address holds no id. */
export function isNotThere(error: unknown): boolean {
  return error instanceof ApiError && ([404, 410].includes(error.status) || isMistyped(error));
}

/** The address cannot be that of anything: what stands where an id belongs is none. */
export function isMistyped(error: unknown): boolean {
  return error instanceof ApiError && [...error.fieldErrors.keys()].some((key) => key.startsWith("path."));
}

/** The request got no answer: there is no network, nobody listens, or it took too long. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";

  constructor(cause?: unknown) {
    super("The server cannot be reached. Check your connection.", { cause });
  }
}

/** What went wrong in the browser, in words for whoever sits before it. */
export class Explained extends Error {
  override readonly name = "Explained";
}

/** That the limit of `reach` was over, which holds until the whole answer has been read. */
export function isTimeout(error: unknown): boolean {
  return (error as { name?: unknown } | null)?.name === "TimeoutError";
}

/** "#/lines/0/quantity" → "lines.0.quantity", the way form libraries name fields. */
function fieldOf(pointer: string): string {
  return pointer
    .replace(/^#?\/?/, "")
    .replace(/^body\//, "")
    .split("/")
    .join(".");
}

function fallbackMessage(status: number): string {
  if (status === 401) return "Please sign in again.";
  if (status === 403) return "You are not allowed to do that.";
  if (status === 404) return "That does not exist, or not any more.";
  if (status === 429) return "Too many requests. Wait a moment and try again.";
  if (status >= 500) return "The server could not answer. Try again in a moment.";
  return "The request was refused.";
}

interface Result<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What the API returned, or an ApiError thrown. */
export async function unwrap<T>(call: Promise<Result<T>>): Promise<T> {
  const { data, error, response } = await call.catch((thrown: unknown) => {
    throw isTimeout(thrown) ? new Unreachable(thrown) : thrown;
  });
  if (!response.ok) {
    throw new ApiError(
      response,
      typeof error === "object" && error !== null ? (error as Problem) : undefined,
    );
  }
  return data as T;
}

/** A sentence for a person, whatever was thrown. What a fault of ours says is for us, not for them. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError && error.code === "validation_failed") {
    const [first = error.message] = error.fieldErrors.values(); // The rest only counts them.
    return first;
  }
  if (error instanceof ApiError || error instanceof Unreachable || error instanceof Explained)
    return error.message;
  return "Something went wrong here. Trying again or reloading the page usually helps.";
}
