"use client";

import { Plus } from "lucide-react";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Dialog, DialogContent, DialogTrigger } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { ApiError } from "@/lib/api/problem";

import { useAddPasskey, useBeginPasskey } from "../api/passkeys";
import { useSecondFactor } from "../api/second-factor";
import { describeDevice } from "../device";
import { PasskeyNameForm } from "./passkey-name-form";
import { ProofForm } from "./proof-form";

type Options = Record<string, unknown>;

/** First proof of who asks, then a name, and then it is the browser's turn. */
export function AddPasskeyDialog() {
  const [open, setOpen] = useState(false);
  const [options, setOptions] = useState<Options | null>(null);
  const add = useAddPasskey();

  function show(next: boolean) {
    if (add.isPending) return; // The browser asks, or the answer is on its way.
    add.reset();
    setOptions(null);
    setOpen(next);
  }

  function create(name: string) {
    if (options === null) return;
    add.mutate(
      { options, name },
      {
        onSuccess: () => {
          setOpen(false);
          toast.success("The passkey is added", "You can sign in with it from now on.");
        },
        // What the browser did not do can be tried again. What the server refused has spent the challenge.
        onError: (error) => {
          if (error instanceof ApiError) setOptions(null);
        },
      },
    );
  }

  return (
    <Dialog open={open} onOpenChange={show} disablePointerDismissal>
      <DialogTrigger
        render={
          <Button size="sm">
            <Plus aria-hidden /> Add a passkey
          </Button>
        }
      />
      <DialogContent title="Add a passkey">
        {options ? (
          <PasskeyNameForm
            label="Name the passkey"
            initial={describeDevice(navigator.userAgent)}
            hint="To recognise it by. Your browser then asks for your finger, your face or a PIN."
            action="Create passkey"
            pending={add.isPending}
            error={add.error}
            onNamed={create}
          />
        ) : (
          <Begin because={add.error} onBegun={setOptions} onCancel={() => show(false)} />
        )}
      </DialogContent>
    </Dialog>
  );
}

interface BeginProps {
  /** Why it has to be begun again. */
  because: unknown;
  onBegun: (options: Options) => void;
  onCancel: () => void;
}

function Begin({ because, onBegun, onCancel }: BeginProps) {
  const begin = useBeginPasskey();
  const asksForCode = useSecondFactor().data?.enabled === true;
  return (
    <ProofForm
      key={String(asksForCode)}
      label="Show that it is you"
      description="First show that it is you."
      action="Continue"
      asksForCode={asksForCode}
      inDialog
      pending={begin.isPending}
      error={begin.error ?? (begin.isIdle ? because : null)}
      onProven={(proof) => begin.mutate(proof, { onSuccess: onBegun })}
      onCancel={onCancel}
    />
  );
}
