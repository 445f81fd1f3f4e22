"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { KeyRound } from "lucide-react";
import Link from "next/link";
import { useForm } from "react-hook-form";
import { z } from "zod";

import { Button, buttonVariants } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { applyFieldErrors } from "@/lib/api/form-errors";
import { ApiError } from "@/lib/api/problem";
import { useLinkToken } from "@/lib/hooks/use-link-token";

import { useResetPassword } from "../api/recovery";
import { newPassword } from "../rules";
import { DeadLink } from "./dead-link";
import { PasswordInput } from "./password-input";

const schema = z.object({
  new_password: newPassword,
});

export function ResetPasswordForm() {
  const token = useLinkToken();
  return <FormOf key={token} token={token} />; // Another link begins anew.
}

function FormOf({ token }: { token: string | null }) {
  const reset = useResetPassword();
  const form = useForm({ resolver: zodResolver(schema), defaultValues: { new_password: "" } });
  const { errors } = form.formState;

  if (reset.isSuccess) {
    return (
      <Empty
        icon={KeyRound}
        title="Your new password is set"
        className="px-0 py-6"
        action={
          <Link href="/login" className={buttonVariants()}>
            Sign in
          </Link>
        }
      >
        You were signed out everywhere.
      </Empty>
    );
  }
  if (token === "" || (reset.error instanceof ApiError && reset.error.code === "link_invalid")) {
    return (
      <DeadLink href="/forgot-password" action="Ask for a new link">
        It works once, for half an hour. Ask for a new one.
      </DeadLink>
    );
  }
  const submit = form.handleSubmit((values) => {
    if (!token) return;
    reset.mutate(
      { token, ...values },
      { onError: (error) => applyFieldErrors(error, ["new_password"], form.setError) },
    );
  });
  return (
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Choose a new password">
      {errors.new_password ? null : <FormError error={reset.error} />}
      <Field
        label="New password"
        hint="12 characters or more; a few random words do well."
        error={errors.new_password?.message}
      >
        <PasswordInput autoComplete="new-password" autoFocus {...form.register("new_password")} />
      </Field>
      <Button type="submit" size="lg" className="w-full" pending={reset.isPending}>
        Set the new password
      </Button>
    </form>
  );
}
