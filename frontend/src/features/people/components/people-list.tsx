"use client";

import { UsersRound } from "lucide-react";
import Link from "next/link";
import { parseAsInteger, parseAsString, parseAsStringLiteral, useQueryStates } from "nuqs";

import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Input } from "@/components/ui/input";
import { noSuchPage, Pagination, PastTheEnd } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import type { Account } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { usePeople } from "../api/people";
import { AccountState } from "./account-state";

const ALL = "all";
const STATES = ["active", "disabled"] as const;
const OPTIONS = [
  { value: ALL, label: "All accounts" },
  { value: "active", label: "Active" },
  { value: "disabled", label: "Disabled" },
] as const;
const TYPING_MS = 300;
/** As long as the API takes. */
const MAX_QUERY = 100;

export function PeopleList() {
  const [{ page, q, state }, set] = useQueryStates(
    {
      page: parseAsInteger.withDefault(1),
      q: parseAsString.withDefault(""),
      state: parseAsStringLiteral(STATES),
    },
    { history: "push" },
  );
  const people = usePeople({
    page: Math.max(1, page),
    q: useDebounced(q.trim(), TYPING_MS) || undefined,
    is_active: state === null ? undefined : state === "active",
  });
  return (
    <div className="space-y-4">
      <div role="search" aria-label="People" className="flex flex-wrap gap-3">
        <Input
          type="search"
          aria-label="Name or address"
          maxLength={MAX_QUERY}
          placeholder="Part of a username, name or address"
          className="w-80 max-w-full"
          value={q}
          onChange={(event) => void set({ page: 1, q: event.target.value || null }, { history: "replace" })}
        />
        <div className="w-44">
          <Select
            aria-label="State"
            options={OPTIONS}
            value={state ?? ALL}
            onChange={(value) => void set({ page: 1, state: value === ALL ? null : value })}
          />
        </div>
      </div>
      <Card className={cn("transition-opacity", people.isPlaceholderData && "opacity-60")}>
        <QueryState
          query={people}
          loading={<SkeletonRows />}
          failed={noSuchPage(() => void set({ page: 1 }))}
        >
          {({ items }) =>
            items.length > 0 ? (
              <ul aria-label="People" className="divide-y">
                {items.map((account) => (
                  <Row key={account.id} account={account} />
                ))}
              </ul>
            ) : page > 1 ? (
              <PastTheEnd onFirst={() => void set({ page: 1 })} />
            ) : (
              <Empty icon={UsersRound} title="Nobody here">
                No account matches. Accounts that were deleted are not listed.
              </Empty>
            )
          }
        </QueryState>
      </Card>
      {people.data && people.data.items.length > 0 ? (
        <Pagination
          page={page}
          pages={people.data.pages ?? 1}
          total={people.data.total ?? people.data.items.length}
          noun={people.data.total === 1 ? "account" : "accounts"}
          onPage={(next) => void set({ page: next })}
        />
      ) : null}
    </div>
  );
}

/** A line where there is room, a card on a phone. */
function Row({ account }: { account: Account }) {
  return (
    <li
      data-testid="account"
      className="relative flex flex-wrap items-center gap-x-5 gap-y-2 px-5 py-3 transition-colors hover:bg-muted/50"
    >
      <div className="min-w-0 flex-1 basis-56">
        <Link
          href={`/people/${account.id}`}
          className="text-sm font-medium break-words after:absolute after:inset-0 hover:text-primary"
        >
          {account.username}
          {account.full_name ? (
            <span className="font-normal text-muted-foreground"> · {account.full_name}</span>
          ) : null}
        </Link>
        <p className="text-sm break-all text-muted-foreground">{account.email}</p>
      </div>
      <AccountState account={account} />
      <p className="text-xs text-muted-foreground sm:w-28 sm:text-right">
        Joined <RelativeTime at={account.created_at} />
      </p>
    </li>
  );
}
