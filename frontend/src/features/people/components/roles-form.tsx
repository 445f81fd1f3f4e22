"use client";

import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { FormError } from "@/components/ui/error-state";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { Account, Role } from "@/lib/api/types";
import { humanise } from "@/lib/format";

import { useChangeAccount, useRoles } from "../api/people";

/** What an account may do. */
export function RolesForm({ account }: { account: Account }) {
  return (
    <Card>
      <CardHeader>
        <CardTitle>Roles</CardTitle>
      </CardHeader>
      <QueryState query={useRoles()} loading={<SkeletonRows rows={4} />}>
        {({ items }) => (
          <CardBody>
            <Form account={account} offered={items} />
          </CardBody>
        )}
      </QueryState>
    </Card>
  );
}

function Form({ account, offered }: { account: Account; offered: readonly Role[] }) {
  const change = useChangeAccount(account);
  const [chosen, setChosen] = useState<ReadonlySet<string> | null>(null);
  const roles = chosen ?? new Set(account.roles);
  const changed = roles.size !== account.roles.length || account.roles.some((role) => !roles.has(role));

  function submit(event: FormEvent) {
    event.preventDefault();
    change.mutate(
      { roles: [...roles].sort() },
      {
        onSuccess: () => {
          setChosen(null);
          toast.success(`The roles of ${account.username} are saved`);
        },
      },
    );
  }

  return (
    <form onSubmit={submit} aria-label="Roles" className="space-y-4">
      <FormError error={change.error} />
      <fieldset className="space-y-1">
        <legend className="sr-only">Roles</legend>
        {offered.map(({ name, description, permissions }) => (
          <div key={name} className="rounded-md px-2 py-1.5 hover:bg-muted">
            <label className="flex items-start gap-3">
              <input
                type="checkbox"
                className="mt-0.5 size-4 accent-primary"
                checked={roles.has(name)}
                onChange={(event) => {
                  const next = new Set(roles);
                  if (event.target.checked) next.add(name);
                  else next.delete(name);
                  setChosen(next);
                }}
              />
              <span className="text-sm">
                <span className="font-medium">{humanise(name)}</span>
                <span className="block text-muted-foreground">{description}</span>
              </span>
            </label>
            <details className="ml-7 text-sm">
              <summary className="w-fit cursor-pointer rounded-sm text-muted-foreground hover:text-foreground">
                What it allows<span className="sr-only">: {humanise(name)}</span>
              </summary>
              <ul className="mt-1 list-disc space-y-0.5 pl-5">
                {permissions.map((permission) => (
                  <li key={permission.name}>{permission.description || permission.name}</li>
                ))}
              </ul>
            </details>
          </div>
        ))}
      </fieldset>
      <Button type="submit" pending={change.isPending} disabled={!changed}>
        Save roles
      </Button>
    </form>
  );
}
