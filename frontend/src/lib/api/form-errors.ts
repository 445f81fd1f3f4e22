import type { FieldValues, Path, UseFormSetError } from "react-hook-form";

import { ApiError } from "./problem";

/**
 * Puts the server's complaints beside the fields they are about. Returns what is left for the form as a whole:
 * the error itself, or null when every complaint found its field.
 */
export function applyFieldErrors<T extends FieldValues>(
  error: unknown,
  fields: readonly Path<T>[],
  setError: UseFormSetError<T>,
): unknown {
  if (!(error instanceof ApiError) || error.fieldErrors.size === 0) return error;
  let unplaced = false;
  for (const [pointer, message] of error.fieldErrors) {
    const field = fields.find((name) => name === pointer);
    if (field) setError(field, { type: "server", message });
    else unplaced = true;
  }
  return unplaced ? error : null;
}
