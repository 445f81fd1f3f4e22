import type { FieldValues, Path, UseFormSetError } from "react-hook-form";

import { ApiError } from "./problem";

interface Complaints<Name extends string> {
  /** What stands beside each field. */
  beside: Partial<Record<Name, string>>;
  /** What is left for the form as a whole: the error itself, or null when every complaint found its field. */
  left: unknown;
}

/** The server's complaints, sorted by the fields they are about. */
export function complaintsOf<Name extends string>(error: unknown, fields: readonly Name[]): Complaints<Name> {
  const beside: Partial<Record<Name, string>> = {};
  if (!(error instanceof ApiError) || error.fieldErrors.size === 0) return { beside, left: error };
  let unplaced = false;
  for (const [pointer, message] of error.fieldErrors) {
    const field = fields.find((name) => name === pointer);
    if (field) beside[field] = message;
    else unplaced = true;
  }
  return { beside, left: unplaced ? error : null };
}

/** Puts them there, in a form that keeps its own errors. Returns what is left for the form as a whole. */
export function applyFieldErrors<T extends FieldValues>(
  error: unknown,
  fields: readonly Path<T>[],
  setError: UseFormSetError<T>,
): unknown {
  const { beside, left } = complaintsOf(error, fields);
  for (const field of fields) {
    const message = beside[field];
    if (message !== undefined) setError(field, { type: "server", message });
  }
  return left;
}
