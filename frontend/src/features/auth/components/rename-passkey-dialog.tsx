"use client";

import { type ReactElement, useState } from "react";

import { Dialog, DialogContent, DialogTrigger } from "@/components/ui/dialog";
import type { Passkey } from "@/lib/api/types";

import { useRenamePasskey } from "../api/passkeys";
import { PasskeyNameForm } from "./passkey-name-form";

export function RenamePasskeyDialog({ passkey, trigger }: { passkey: Passkey; trigger: ReactElement }) {
  const [open, setOpen] = useState(false);
  const rename = useRenamePasskey(passkey.id);

  function show(next: boolean) {
    if (next) rename.reset();
    setOpen(next);
  }

  return (
    <Dialog open={open} onOpenChange={show}>
      <DialogTrigger render={trigger} />
      <DialogContent title="Rename the passkey" className="max-w-md">
        <PasskeyNameForm
          label="Rename the passkey"
          initial={passkey.name}
          action="Save name"
          pending={rename.isPending}
          error={rename.error}
          onNamed={(name) => rename.mutate(name, { onSuccess: () => setOpen(false) })}
        />
      </DialogContent>
    </Dialog>
  );
}
