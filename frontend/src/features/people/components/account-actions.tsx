"use client";

import { useRouter } from "next/navigation";

import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { toast } from "@/components/ui/toast";
import type { Account } from "@/lib/api/types";
import { can, useCurrentUser } from "@/lib/current-user";

import {
  useChangeAccount,
  useDeleteAccount,
  useRemoveSecondFactor,
  useSignOutEverywhere,
} from "../api/people";

/** What may be done about somebody else's account, by those who may. One's own is in the settings. */
export function AccountActions({ account }: { account: Account }) {
  const me = useCurrentUser();
  const writes = can(me, "users:write");
  const signsOut = can(me, "realtime:admin");
  const change = useChangeAccount(account);
  const signOut = useSignOutEverywhere(account.id);
  const removeFactor = useRemoveSecondFactor(account.id);
  const remove = useDeleteAccount(account);
  const router = useRouter();
  const name = account.username;
  if (me.id === account.id || !(writes || signsOut)) return null;

  /** What is said of an act that worked, and of one that did not. */
  const said = (done: string, failed: string) => ({
    onSuccess: () => toast.success(done),
    onError: (error: unknown) => toast.error(failed, error),
  });

  return (
    <Card>
      <CardHeader>
        <CardTitle>Access</CardTitle>
      </CardHeader>
      <CardBody className="flex flex-wrap gap-2">
        {signsOut ? (
          <ConfirmDialog
            trigger={<Button variant="secondary">Sign out everywhere</Button>}
            title={`Sign ${name} out everywhere?`}
            description="Every login session ends, and live connections close. They may sign in again."
            action="Sign out everywhere"
            dismiss="Leave them signed in"
            onConfirm={() =>
              signOut.mutateAsync(
                undefined,
                said(`${name} is signed out everywhere`, "Signing out did not work"),
              )
            }
          />
        ) : null}
        {writes ? (
          <>
            <ConfirmDialog
              trigger={<Button variant="secondary">Remove two-step sign-in</Button>}
              title={`Remove the two-step sign-in of ${name}?`}
              description="For somebody who has lost their app and their recovery codes. They are told by mail."
              action="Remove it"
              onConfirm={() =>
                removeFactor.mutateAsync(
                  undefined,
                  said(`${name} signs in by password alone`, "Two-step sign-in was not removed"),
                )
              }
            />
            {account.is_active ? (
              <ConfirmDialog
                trigger={<Button variant="danger">Disable</Button>}
                title={`Disable ${name}?`}
                description="They are signed out everywhere and cannot sign in until somebody enables the account."
                action="Disable the account"
                dismiss="Leave it enabled"
                onConfirm={() =>
                  change.mutateAsync(
                    { is_active: false },
                    said(`${name} is disabled`, "The account was not disabled"),
                  )
                }
              />
            ) : (
              <Button
                variant="secondary"
                pending={change.isPending}
                onClick={() =>
                  change.mutate(
                    { is_active: true },
                    said(`${name} may sign in again`, "The account was not enabled"),
                  )
                }
              >
                Enable
              </Button>
            )}
            <ConfirmDialog
              trigger={<Button variant="danger">Delete</Button>}
              title={`Delete the account of ${name}?`}
              description="Its sessions and keys end, and its names become free. Its orders stay."
              action="Delete the account"
              onConfirm={() =>
                remove.mutateAsync(undefined, {
                  onSuccess: () => {
                    toast.success(`The account of ${name} is deleted`);
                    router.push("/people");
                  },
                  onError: (error) => toast.error("The account was not deleted", error),
                })
              }
            />
          </>
        ) : null}
      </CardBody>
    </Card>
  );
}
