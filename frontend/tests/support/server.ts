import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";

export const server = setupServer();

export const url = (path: string): string => new URL(`/api/v1${path}`, window.location.origin).href;

export { http, HttpResponse };

/** An error as the API writes it. */
export function problem(status: number, code: string, extra: Record<string, unknown> = {}) {
  return HttpResponse.json(
    {
      type: `/problems/${code}`,
      title: code,
      status,
      detail: `It failed: ${code}`,
      code,
      request_id: "req-1",
      ...extra,
    },
    { status, headers: { "content-type": "application/problem+json" } },
  );
}
