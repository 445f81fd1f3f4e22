"use client";

import type { ComponentProps } from "react";

import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { cn } from "@/lib/cn";

interface CodeFieldProps extends ComponentProps<typeof Input> {
  label?: string;
  hint?: string;
  error?: string;
}

/** A code of the authenticator app; where `recovery` codes count too, letters may be typed. */
export function CodeField({
  label = "Code",
  hint = "Six digits of your authenticator app, or a recovery code.",
  error,
  className,
  ...props
}: CodeFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      <Input
        autoComplete="one-time-code"
        autoCapitalize="characters"
        spellCheck={false}
        maxLength={32}
        className={cn("font-mono tracking-widest", className)}
        {...props}
      />
    </Field>
  );
}
