"use client";

import { type ReactElement, useState } from "react";

import { Dialog, DialogContent, DialogTrigger } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import type { Passkey } from "@/lib/api/types";

import { useRemovePasskey } from "../api/passkeys";
import { useSecondFactor } from "../api/second-factor";
import { ProofForm } from "./proof-form";

interface RemovePasskeyDialogProps {
  passkey: Passkey;
  rpId: string;
  trigger: ReactElement;
}

export function RemovePasskeyDialog({ passkey, rpId, trigger }: RemovePasskeyDialogProps) {
  const [open, setOpen] = useState(false);
  const remove = useRemovePasskey(passkey, rpId);
  const asksForCode = useSecondFactor().data?.enabled === true;

  function show(next: boolean) {
    if (remove.isPending) return;
    remove.reset();
    setOpen(next);
  }

  return (
    <Dialog open={open} onOpenChange={show}>
      <DialogTrigger render={trigger} />
      <DialogContent title={`Remove ${passkey.name}?`}>
        <ProofForm
          key={String(asksForCode)}
          label="Remove the passkey"
          description="It signs nobody in any more. Your password still does. Where it has signed you in already, you stay signed in: end that under Sessions."
          action="Remove passkey"
          danger
          asksForCode={asksForCode}
          inDialog
          pending={remove.isPending}
          error={remove.error}
          onProven={(proof) =>
            remove.mutate(proof, { onSuccess: () => toast.success("The passkey is removed") })
          }
          onCancel={() => setOpen(false)}
        />
      </DialogContent>
    </Dialog>
  );
}
