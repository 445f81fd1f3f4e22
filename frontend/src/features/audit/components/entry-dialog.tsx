"use client";

import type { ReactNode } from "react";

import { Button } from "@/components/ui/button";
import { Dialog, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { JsonBlock } from "@/components/ui/json-block";
import type { AuditEntry } from "@/lib/api/types";
import { formatClockSeconds, formatDateTime } from "@/lib/format";

import { isAccount, type SubjectType, subjectTypeOf } from "../subjects";
import { Person } from "./person";
import { Subject } from "./subject";

/** One thing to look for; the other filters are emptied. */
export type Wanted = { action: string } | { by: string } | { about: SubjectType | null; subject: string };

interface EntryDialogProps {
  entry: AuditEntry | null;
  onClose: () => void;
  onFilter: (wanted: Wanted) => void;
  onAccount: (userId: string) => void;
}

/** One act in full, and the ways to what belongs to it. */
export function EntryDialog({ entry, onClose, onFilter, onAccount }: EntryDialogProps) {
  const actor = entry?.actor_id ?? null;
  return (
    <Dialog open={entry !== null} onOpenChange={(open) => !open && onClose()}>
      {entry ? (
        <DialogContent
          title={entry.action}
          description={`${formatDateTime(entry.at)} · ${formatClockSeconds(entry.at)}`}
          className="max-w-2xl"
        >
          <div className="max-h-[55dvh] space-y-4 overflow-y-auto">
            <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2 text-sm">
              <Line name="By">
                <Person userId={entry.actor_id} />
              </Line>
              <Line name="About">
                <Subject entry={entry} />
              </Line>
              <Line name="Address">{entry.ip ?? "–"}</Line>
              <Line name="Request">
                <code className="font-mono text-xs select-all">{entry.request_id ?? "–"}</code>
              </Line>
            </dl>
            {Object.keys(entry.details).length > 0 ? (
              <JsonBlock title="Details" value={entry.details} />
            ) : null}
          </div>
          <DialogFooter>
            {isAccount(entry) ? (
              <Button variant="soft" onClick={() => onAccount(entry.subject_id)}>
                Changes of this account
              </Button>
            ) : null}
            <Button variant="secondary" onClick={() => onFilter({ action: entry.action })}>
              All of this action
            </Button>
            <Button
              variant="secondary"
              onClick={() => onFilter({ about: subjectTypeOf(entry), subject: entry.subject_id })}
            >
              All about this
            </Button>
            {actor === null ? null : (
              <Button variant="secondary" onClick={() => onFilter({ by: actor })}>
                All by this person
              </Button>
            )}
          </DialogFooter>
        </DialogContent>
      ) : null}
    </Dialog>
  );
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-muted-foreground">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}
