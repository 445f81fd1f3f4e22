import type { components } from "./schema.gen";

/** RFC 9457 as the API writes it. Read defensively: a proxy in between may answer something else. */
export type Problem = Partial<components["schemas"]["Problem"]>;

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;
  readonly fieldErrors: ReadonlyMap<string, string>;
  readonly retryAfter: number | null;

  constructor(response: Response, problem: Problem | undefined) {
    super(problem?.detail || problem?.title || fallbackMessage(response.status));
    this.name = "ApiError";
    this.status = response.status;
    this.code = problem?.code ?? `http_${response.status}`;
    this.requestId = problem?.request_id ?? response.headers.get("x-request-id");
    this.fieldErrors = new Map((problem?.errors ?? []).map((item) => [fieldOf(item.pointer), item.message]));
    const retryAfter = Number(response.headers.get("retry-after"));
    this.retryAfter = Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null;
  }
}

/** The request got no answer: there is no network, or nobody listens. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";

  constructor(cause?: unknown) {
    super("The server cannot be reached. Check your connection.", { cause });
  }
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
  const { data, error, response } = await call;
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
  if (error instanceof ApiError || error instanceof Unreachable) return error.message;
  return "Something went wrong here. Trying again or reloading the page usually helps.";
}
