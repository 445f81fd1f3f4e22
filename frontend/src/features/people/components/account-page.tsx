"use client";

import { ChevronLeft } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";

import { buttonVariants } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { PageHeader } from "@/components/ui/page-header";
import { QueryState } from "@/components/ui/query-state";
import { LoadingCard } from "@/components/ui/skeleton";
import type { Account } from "@/lib/api/types";
import { can, useCurrentUser } from "@/lib/current-user";
import { formatDateTime } from "@/lib/format";
import { useTitle } from "@/lib/hooks/use-title";

import { useAccount } from "../api/people";
import { AccountActions } from "./account-actions";
import { AccountState } from "./account-state";
import { RolesForm } from "./roles-form";

/** One account, for those who look after people. */
export function AccountPage({ userId }: { userId: string }) {
  return (
    <>
      <Link
        href="/people"
        className="mb-3 inline-flex items-center gap-1 rounded-sm text-sm text-muted-foreground hover:text-foreground"
      >
        <ChevronLeft aria-hidden className="size-4" /> People
      </Link>
      <QueryState query={useAccount(userId)} loading={<LoadingCard />}>
        {(account) => <Loaded account={account} />}
      </QueryState>
    </>
  );
}

function Loaded({ account }: { account: Account }) {
  useTitle(account.username);
  const me = useCurrentUser();
  const link = buttonVariants({ variant: "secondary", size: "sm" });
  return (
    <>
      <PageHeader title={account.username}>
        <AccountState account={account} />
      </PageHeader>
      <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
        <Card>
          <CardHeader>
            <CardTitle>Account</CardTitle>
          </CardHeader>
          <CardBody className="space-y-4">
            <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-2 text-sm">
              <Line name="E-mail">{account.email}</Line>
              {account.full_name ? <Line name="Name">{account.full_name}</Line> : null}
              <Line name="Joined">{formatDateTime(account.created_at)}</Line>
              <Line name="Changed">{formatDateTime(account.updated_at)}</Line>
              <Line name="Id">
                <code className="font-mono text-xs select-all">{account.id}</code>
              </Line>
            </dl>
            <div className="flex flex-wrap gap-2">
              {can(me, "orders:read_all") ? (
                <Link href={`/desk?person=${account.id}`} className={link}>
                  Orders
                </Link>
              ) : null}
              {can(me, "audit:read") ? (
                <>
                  <Link href={`/audit?by=${account.id}`} className={link}>
                    What they did
                  </Link>
                  <Link href={`/audit?tab=accounts&account=${account.id}`} className={link}>
                    Changes of the account
                  </Link>
                </>
              ) : null}
            </div>
          </CardBody>
        </Card>
        <div className="space-y-6">
          {can(me, "roles:manage") && can(me, "users:write") ? <RolesForm account={account} /> : null}
          <AccountActions account={account} />
        </div>
      </div>
    </>
  );
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-muted-foreground">{name}</dt>
      <dd className="min-w-0 break-all">{children}</dd>
    </div>
  );
}
