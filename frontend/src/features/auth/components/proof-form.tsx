"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { useForm } from "react-hook-form";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { DialogFooter } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { complaintsOf } from "@/lib/api/form-errors";
import { cn } from "@/lib/cn";

import type { Proof } from "../api/second-factor";
import { MIN_CODE } from "../rules";
import { CodeField } from "./code-field";
import { PasswordInput } from "./password-input";

const code = z.string().trim();
const password = z.object({ current_password: z.string().min(1, "Enter your password."), code });
const bothFactors = password.extend({ code: code.min(MIN_CODE, "Enter a code.") });
const FIELDS = ["current_password", "code"] as const;

interface ProofFormProps {
  label: string;
  description: string;
  action: string;
  danger?: boolean;
  /** Whether there is a second factor to ask for; without it the code is empty. */
  asksForCode?: boolean;
  /** Whether it is all that a dialog asks. */
  inDialog?: boolean;
  pending: boolean;
  error: unknown;
  onProven: (proof: Proof) => void;
  onCancel: () => void;
}

/** The password, and the second factor where there is one, for a change of what signs in. */
export function ProofForm({
  label,
  description,
  action,
  danger,
  asksForCode = true,
  inDialog,
  pending,
  error,
  onProven,
  onCancel,
}: ProofFormProps) {
  const form = useForm({
    resolver: zodResolver(asksForCode ? bothFactors : password),
    defaultValues: { current_password: "", code: "" },
  });
  const { errors } = form.formState;
  const { beside, left } = complaintsOf(error, FIELDS);
  const submit = (
    <Button type="submit" variant={danger ? "danger" : "primary"} pending={pending}>
      {action}
    </Button>
  );
  // What was asked for happens, and its answer may be shown once only: somebody has to be here.
  const cancel = (
    <Button variant="secondary" disabled={pending} onClick={onCancel}>
      Cancel
    </Button>
  );
  return (
    <form
      method="post"
      onSubmit={form.handleSubmit(onProven)}
      noValidate
      className="space-y-4"
      aria-label={label}
    >
      <p className="text-sm text-muted-foreground">{description}</p>
      <FormError error={left} />
      <div className={cn("grid gap-4", asksForCode && "sm:grid-cols-2")}>
        <Field label="Current password" error={errors.current_password?.message ?? beside.current_password}>
          <PasswordInput autoComplete="current-password" autoFocus {...form.register("current_password")} />
        </Field>
        {asksForCode ? (
          <CodeField error={errors.code?.message ?? beside.code} {...form.register("code")} />
        ) : null}
      </div>
      {inDialog ? (
        <DialogFooter>
          {cancel}
          {submit}
        </DialogFooter>
      ) : (
        <div className="flex flex-wrap gap-2">
          {submit}
          {cancel}
        </div>
      )}
    </form>
  );
}
