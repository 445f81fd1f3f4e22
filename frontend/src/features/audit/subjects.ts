import type { AuditEntry } from "@/lib/api/types";

import { UUID } from "./api/people";

export const SUBJECT_TYPES = [
  "user",
  "session",
  "api_key",
  "passkey",
  "conversation",
  "message",
  "export",
  "connection",
  "trace",
] as const;

export type SubjectType = (typeof SUBJECT_TYPES)[number];

/** Whether it was about an account; of a failed login, what was typed may be the name of none. */
export function isAccount({ subject_type, subject_id }: Pick<AuditEntry, "subject_type" | "subject_id">) {
  return subject_type === "user" && UUID.test(subject_id);
}

/** The type to filter by; null for one that the filter does not offer. */
export function subjectTypeOf({ subject_type }: Pick<AuditEntry, "subject_type">): SubjectType | null {
  return SUBJECT_TYPES.find((known) => known === subject_type) ?? null;
}
