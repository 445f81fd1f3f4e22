"use client";

import { UserRoundSearch } from "lucide-react";
import { parseAsString, useQueryStates } from "nuqs";
import { useState } from "react";

import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Input } from "@/components/ui/input";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { AccountChange } from "@/lib/api/types";
import { formatDateTime, humanise } from "@/lib/format";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { useAccountChanges } from "../api/trail";
import { ChangeDialog } from "./change-dialog";
import { Person } from "./person";
import { TrailState } from "./trail-state";

const TYPING_MS = 300;
/** As long as the API takes. */
const MAX_ACCOUNT = 100;

/** What became of one account. */
export function ChangeList() {
  const [{ account, changes: cursor }, set] = useQueryStates(
    { account: parseAsString.withDefault(""), changes: parseAsString },
    { history: "push" },
  );
  const of = useDebounced(account.trim(), TYPING_MS);
  const changes = useAccountChanges(of, cursor ?? undefined);
  const [opened, setOpened] = useState<AccountChange | null>(null);

  return (
    <div className="space-y-4">
      <div role="search" aria-label="Changes of accounts" className="w-96 max-w-full">
        <Input
          type="search"
          aria-label="Account"
          maxLength={MAX_ACCOUNT}
          placeholder="Username, e-mail, or id of one that is gone"
          value={account}
          onChange={(event) =>
            void set({ account: event.target.value || null, changes: null }, { history: "replace" })
          }
        />
      </div>
      {of === "" ? (
        <Card>
          <Empty icon={UserRoundSearch} title="Whose account?">
            Name one to see who changed it, and what was there before.
          </Empty>
        </Card>
      ) : (
        <TrailState
          query={changes}
          empty={
            <Empty icon={UserRoundSearch} title="Nothing is known of such an account">
              An account that is gone is found by its id.
            </Empty>
          }
          onPage={(next) => void set({ changes: next })}
        >
          {(items) => <ChangeTable changes={items} onOpen={setOpened} />}
        </TrailState>
      )}
      <ChangeDialog change={opened} onClose={() => setOpened(null)} />
    </div>
  );
}

interface ChangeTableProps {
  changes: readonly AccountChange[];
  onOpen: (change: AccountChange) => void;
}

function ChangeTable({ changes, onOpen }: ChangeTableProps) {
  return (
    <Table label="Changes of the account">
      <thead>
        <tr>
          <Th>When</Th>
          <Th>What</Th>
          <Th className="max-sm:hidden">Fields</Th>
          <Th>By</Th>
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <Tr key={change.id} className="relative" data-testid="account-change">
            <Td className="text-muted-foreground tabular-nums sm:whitespace-nowrap">
              {formatDateTime(change.changed_at)}
            </Td>
            <Td>
              <button
                type="button"
                onClick={() => onOpen(change)}
                className="font-medium after:absolute after:inset-0 hover:text-primary"
              >
                {humanise(change.operation.toLowerCase())}
              </button>
            </Td>
            <Td className="max-w-80 truncate font-mono text-xs text-muted-foreground max-sm:hidden">
              {change.changed_fields.join(", ") || "–"}
            </Td>
            <Td className="max-w-48 truncate">
              <Person userId={change.changed_by} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
