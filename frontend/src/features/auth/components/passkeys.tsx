"use client";

import { Fingerprint } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { SkeletonRows } from "@/components/ui/skeleton";
import type { Passkey } from "@/lib/api/types";
import { formatDateTime } from "@/lib/format";

import { usePasskeys } from "../api/passkeys";
import { usePasskeysSupported } from "../webauthn";
import { AddPasskeyDialog } from "./add-passkey-dialog";
import { RemovePasskeyDialog } from "./remove-passkey-dialog";
import { RenamePasskeyDialog } from "./rename-passkey-dialog";

/** The passkeys of the account. */
export function Passkeys() {
  const passkeys = usePasskeys();
  const supported = usePasskeysSupported();
  const found = passkeys.data;
  const full = found !== undefined && found.items.length >= found.limit;
  return (
    <Card>
      <CardHeader>
        <CardTitle>Passkeys</CardTitle>
        {supported && found && !full ? <AddPasskeyDialog /> : null}
      </CardHeader>
      <CardBody>
        <p className="text-sm text-muted-foreground">
          Sign in with your fingerprint, your face or the PIN of your device: no password to type, no code
          after it, and nothing that could be stolen from us.
          {supported ? null : " This browser cannot create passkeys at this address."}
          {full
            ? ` An account may have ${found.limit}; remove one that you do not need to add another.`
            : null}
        </p>
      </CardBody>
      <QueryState query={passkeys} loading={<SkeletonRows rows={2} />}>
        {({ items, rp_id }) =>
          items.length === 0 ? null : (
            <ul aria-label="Passkeys" className="divide-y border-t">
              {items.map((passkey) => (
                <PasskeyRow key={passkey.id} passkey={passkey} rpId={rp_id} />
              ))}
            </ul>
          )
        }
      </QueryState>
    </Card>
  );
}

function PasskeyRow({ passkey, rpId }: { passkey: Passkey; rpId: string }) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-3 px-5 py-4">
      <Fingerprint aria-hidden className="size-5 text-muted-foreground" />
      <div className="min-w-0 flex-1 basis-48">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm font-medium">
          <span className="min-w-0 break-words">{passkey.name}</span>
          {passkey.synced ? <Badge>Synced</Badge> : null}
        </p>
        <p className="mt-0.5 text-xs text-muted-foreground">
          Added {formatDateTime(passkey.created_at)} ·{" "}
          {passkey.last_used_at ? (
            <>
              last used <RelativeTime at={passkey.last_used_at} />
            </>
          ) : (
            "never used"
          )}
        </p>
      </div>
      <div className="flex gap-2">
        <RenamePasskeyDialog
          passkey={passkey}
          trigger={
            <Button variant="secondary" size="sm" aria-label={`Rename ${passkey.name}`}>
              Rename
            </Button>
          }
        />
        <RemovePasskeyDialog
          passkey={passkey}
          rpId={rpId}
          trigger={
            <Button variant="secondary" size="sm" aria-label={`Remove ${passkey.name}`}>
              Remove
            </Button>
          }
        />
      </div>
    </li>
  );
}
