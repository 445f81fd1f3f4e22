"use client";

import type { AuditEntry } from "@/lib/api/types";
import { humanise } from "@/lib/format";

import { isAccount } from "../subjects";
import { Person } from "./person";

/** What an act was about. */
export function Subject({ entry }: { entry: Pick<AuditEntry, "subject_type" | "subject_id"> }) {
  return (
    <>
      <span className="text-muted-foreground">{humanise(entry.subject_type)}</span>{" "}
      {isAccount(entry) ? <Person userId={entry.subject_id} /> : entry.subject_id}
    </>
  );
}
