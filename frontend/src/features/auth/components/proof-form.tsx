"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { useForm } from "react-hook-form";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";

import type { Proof } from "../api/second-factor";
import { CodeField } from "./code-field";
import { PasswordInput } from "./password-input";

const schema = z.object({
  current_password: z.string().min(1, "Enter your password."),
  code: z.string().trim().min(6, "Enter a code."),
});

interface ProofFormProps {
  label: string;
  description: string;
  action: string;
  danger?: boolean;
  pending: boolean;
  error: unknown;
  onProven: (proof: Proof) => void;
  onCancel: () => void;
}

/** Both factors, for a change of the second one. */
export function ProofForm({
  label,
  description,
  action,
  danger,
  pending,
  error,
  onProven,
  onCancel,
}: ProofFormProps) {
  const form = useForm({ resolver: zodResolver(schema), defaultValues: { current_password: "", code: "" } });
  const { errors } = form.formState;
  return (
    <form
      method="post"
      onSubmit={form.handleSubmit(onProven)}
      noValidate
      className="space-y-4"
      aria-label={label}
    >
      <p className="text-sm text-muted-foreground">{description}</p>
      <FormError error={error} />
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Current password" error={errors.current_password?.message}>
          <PasswordInput autoComplete="current-password" autoFocus {...form.register("current_password")} />
        </Field>
        <CodeField error={errors.code?.message} {...form.register("code")} />
      </div>
      <div className="flex flex-wrap gap-2">
        <Button type="submit" variant={danger ? "danger" : "primary"} pending={pending}>
          {action}
        </Button>
        {/* What was asked for happens, and its answer may be shown once only: somebody has to be here. */}
        <Button variant="secondary" disabled={pending} onClick={onCancel}>
          Cancel
        </Button>
      </div>
    </form>
  );
}
