"use client";

import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { DialogClose, DialogFooter } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

/** As long as the API takes. */
const MAX_NAME = 64;

interface PasskeyNameFormProps {
  label: string;
  initial: string;
  hint?: string;
  action: string;
  pending: boolean;
  error: unknown;
  onNamed: (name: string) => void;
}

/** What a passkey is called, in a dialog. */
export function PasskeyNameForm({
  label,
  initial,
  hint,
  action,
  pending,
  error,
  onNamed,
}: PasskeyNameFormProps) {
  const [name, setName] = useState(initial);
  const [checked, setChecked] = useState(false);
  const missing = name.trim() === "";

  function submit(event: FormEvent) {
    event.preventDefault();
    setChecked(true);
    if (!missing) onNamed(name.trim());
  }

  return (
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label={label}>
      <FormError error={error} />
      <Field
        label="Name"
        hint={hint}
        error={checked && missing ? "Give it a name to recognise it by." : undefined}
      >
        <Input
          value={name}
          maxLength={MAX_NAME}
          autoComplete="off"
          autoFocus
          onFocus={(event) => event.target.select()}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <DialogFooter>
        <DialogClose
          render={
            <Button variant="secondary" disabled={pending}>
              Cancel
            </Button>
          }
        />
        <Button type="submit" pending={pending}>
          {action}
        </Button>
      </DialogFooter>
    </form>
  );
}
