"use client";

import { ScrollText } from "lucide-react";
import { parseAsString, parseAsStringLiteral, useQueryStates } from "nuqs";
import { useState } from "react";

import { Empty } from "@/components/ui/empty";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { AuditEntry } from "@/lib/api/types";
import { formatDateTime, humanise } from "@/lib/format";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { useEntries } from "../api/trail";
import { SUBJECT_TYPES } from "../subjects";
import { EntryDialog } from "./entry-dialog";
import { Person } from "./person";
import { Subject } from "./subject";
import { TrailState } from "./trail-state";

const ALL = "all";
const SUBJECTS = [
  { value: ALL, label: "About anything" },
  ...SUBJECT_TYPES.map((value) => ({ value, label: `About: ${humanise(value).toLowerCase()}` })),
] as const;
const TYPING_MS = 300;
/** As long as the API takes. */
const MAX = { action: 60, account: 100, subject: 512 };

export function EntryList({ onAccount }: { onAccount: (userId: string) => void }) {
  const [{ action, by, about, subject, cursor }, set] = useQueryStates(
    {
      action: parseAsString.withDefault(""),
      by: parseAsString.withDefault(""),
      about: parseAsStringLiteral(SUBJECT_TYPES),
      subject: parseAsString.withDefault(""),
      cursor: parseAsString,
    },
    { history: "push" },
  );
  const type = (part: Record<string, string | null>) =>
    void set({ ...part, cursor: null }, { history: "replace" });
  const entries = useEntries({
    action: useDebounced(action.trim(), TYPING_MS) || undefined,
    by: useDebounced(by.trim(), TYPING_MS) || undefined,
    subject_type: about ?? undefined,
    subject_id: useDebounced(subject.trim(), TYPING_MS) || undefined,
    cursor: cursor ?? undefined,
  });
  const [opened, setOpened] = useState<AuditEntry | null>(null);

  return (
    <div className="space-y-4">
      <div role="search" aria-label="Acts" className="flex flex-wrap gap-3">
        <Input
          aria-label="Action"
          maxLength={MAX.action}
          placeholder="Action, such as login.failed"
          className="sm:w-60"
          value={action}
          onChange={(event) => type({ action: event.target.value || null })}
        />
        <Input
          aria-label="By"
          maxLength={MAX.account}
          placeholder="By: username, e-mail or id"
          className="sm:w-60"
          value={by}
          onChange={(event) => type({ by: event.target.value || null })}
        />
        <div className="w-full sm:w-44">
          <Select
            aria-label="About"
            options={SUBJECTS}
            value={about ?? ALL}
            onChange={(value) => void set({ about: value === ALL ? null : value, cursor: null })}
          />
        </div>
        <Input
          aria-label="Subject"
          maxLength={MAX.subject}
          placeholder="Id of what it is about"
          className="sm:w-60"
          value={subject}
          onChange={(event) => type({ subject: event.target.value || null })}
        />
      </div>
      <TrailState
        query={entries}
        empty={
          <Empty icon={ScrollText} title="No such act">
            Nothing in the trail matches the filter. Actions and ids are matched as a whole.
          </Empty>
        }
        onPage={(next) => void set({ cursor: next })}
      >
        {(items) => <EntryTable entries={items} onOpen={setOpened} />}
      </TrailState>
      <EntryDialog
        entry={opened}
        onClose={() => setOpened(null)}
        onFilter={(part) => {
          setOpened(null);
          void set({ action: null, by: null, about: null, subject: null, cursor: null, ...part });
        }}
        onAccount={(userId) => {
          setOpened(null);
          onAccount(userId);
        }}
      />
    </div>
  );
}

interface EntryTableProps {
  entries: readonly AuditEntry[];
  onOpen: (entry: AuditEntry) => void;
}

function EntryTable({ entries, onOpen }: EntryTableProps) {
  return (
    <Table label="Audit trail">
      <thead>
        <tr>
          <Th>When</Th>
          <Th>Action</Th>
          <Th className="max-sm:hidden">By</Th>
          <Th className="max-sm:hidden">About</Th>
          <Th className="max-sm:hidden">Address</Th>
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => (
          <Tr key={entry.id} className="relative" data-testid="audit-entry" data-action={entry.action}>
            <Td className="text-muted-foreground tabular-nums sm:whitespace-nowrap">
              {formatDateTime(entry.at)}
            </Td>
            <Td>
              <button
                type="button"
                onClick={() => onOpen(entry)}
                className="font-mono text-xs font-medium after:absolute after:inset-0 hover:text-primary"
              >
                {entry.action}
              </button>
              {/* On a phone there is no room for columns of their own. */}
              <span className="mt-0.5 block text-xs break-words sm:hidden">
                <Person userId={entry.actor_id} /> · <Subject entry={entry} />
              </span>
            </Td>
            <Td className="max-w-48 truncate max-sm:hidden">
              <Person userId={entry.actor_id} />
            </Td>
            <Td className="max-w-64 truncate max-sm:hidden">
              <Subject entry={entry} />
            </Td>
            <Td className="whitespace-nowrap text-muted-foreground max-sm:hidden">{entry.ip ?? "–"}</Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
