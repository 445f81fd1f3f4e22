"use client";

import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { FormError } from "@/components/ui/error-state";
import { toast } from "@/components/ui/toast";
import type { Account } from "@/lib/api/types";
import { humanise } from "@/lib/format";

import { useChangeAccount } from "../api/people";

/** Of a fresh installation; a role that an account holds beside them is offered, too. */
const ROLES: Record<string, string> = {
  admin: "Everything, roles and accounts included",
  operator: "Looks after orders, the catalogue, jobs and realtime",
  analyst: "Reads orders, people and figures",
  customer: "Buys and talks",
};

/** What an account may do. */
export function RolesForm({ account }: { account: Account }) {
  const change = useChangeAccount(account);
  const [chosen, setChosen] = useState<ReadonlySet<string> | null>(null);
  const roles = chosen ?? new Set(account.roles);
  const offered = [...new Set([...Object.keys(ROLES), ...account.roles])];
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
    <Card>
      <CardHeader>
        <CardTitle>Roles</CardTitle>
      </CardHeader>
      <CardBody>
        <form onSubmit={submit} aria-label="Roles" className="space-y-4">
          <FormError error={change.error} />
          <fieldset className="space-y-1">
            <legend className="sr-only">Roles</legend>
            {offered.map((role) => (
              <label key={role} className="flex items-start gap-3 rounded-md px-2 py-1.5 hover:bg-muted">
                <input
                  type="checkbox"
                  className="mt-0.5 size-4 accent-primary"
                  checked={roles.has(role)}
                  onChange={(event) => {
                    const next = new Set(roles);
                    if (event.target.checked) next.add(role);
                    else next.delete(role);
                    setChosen(next);
                  }}
                />
                <span className="text-sm">
                  <span className="font-medium">{humanise(role)}</span>
                  {ROLES[role] ? <span className="block text-muted-foreground">{ROLES[role]}</span> : null}
                </span>
              </label>
            ))}
          </fieldset>
          <Button type="submit" pending={change.isPending} disabled={!changed}>
            Save roles
          </Button>
        </form>
      </CardBody>
    </Card>
  );
}
