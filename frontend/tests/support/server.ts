import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";

export const server = setupServer();

export const url = (path: string): string => new URL(`/api/v1${path}`, window.location.origin).href;

export { http, HttpResponse };

/** A value that the API refuses, in the words of serve_app/mistakes.py, or of the error's own. */
export function refused(status: number, code: string, pointer: string, message: string) {
  const detail = code === "validation_failed" ? "One thing in the request is not valid." : message;
  return problem(status, code, { detail, errors: [{ pointer, code, message }] });
}

/** What the API says of text that does not look as a pattern wants it. */
export const NOT_WRITTEN_SO = "This is not written as it has to be: a character is wrong, or missing.";

export const wrongPassword = () =>
  refused(403, "wrong_password", "#/current_password", "This is not your current password.");

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
