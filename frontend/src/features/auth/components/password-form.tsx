"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { type Path, useForm } from "react-hook-form";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { applyFieldErrors } from "@/lib/api/form-errors";

import { useUpdateProfile } from "../api/profile";
import { useSecondFactor } from "../api/second-factor";
import { MIN_CODE, newPassword } from "../rules";
import { CodeField } from "./code-field";
import { PasswordInput } from "./password-input";

const schema = z.object({
  current_password: z.string().min(1, "Enter your current password."),
  new_password: newPassword,
  code: z.string().trim(),
});

const withCode = schema.extend({ code: schema.shape.code.min(MIN_CODE, "Enter a code.") });

type Values = z.infer<typeof schema>;
const FIELDS: readonly Path<Values>[] = ["current_password", "new_password", "code"];
const EMPTY: Values = { current_password: "", new_password: "", code: "" };

export function PasswordForm() {
  const update = useUpdateProfile();
  const asksForCode = useSecondFactor().data?.enabled === true;
  const form = useForm<Values>({
    resolver: zodResolver(asksForCode ? withCode : schema),
    defaultValues: EMPTY,
  });
  const { errors } = form.formState;

  const submit = form.handleSubmit(({ code, ...passwords }) =>
    update.mutate(asksForCode ? { ...passwords, code } : passwords, {
      onSuccess: () => {
        form.reset(EMPTY);
        toast.success("Your password is changed", "Other devices may have to sign in again.");
      },
      onError: (error) => applyFieldErrors(error, FIELDS, form.setError),
    }),
  );

  return (
    <Card>
      <CardHeader>
        <CardTitle>Password</CardTitle>
      </CardHeader>
      <CardBody>
        <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Password">
          {Object.keys(errors).length === 0 ? <FormError error={update.error} /> : null}
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Current password" error={errors.current_password?.message}>
              <PasswordInput autoComplete="current-password" {...form.register("current_password")} />
            </Field>
            <Field label="New password" error={errors.new_password?.message}>
              <PasswordInput autoComplete="new-password" {...form.register("new_password")} />
            </Field>
          </div>
          {asksForCode ? (
            <CodeField className="max-w-xs" error={errors.code?.message} {...form.register("code")} />
          ) : null}
          <Button type="submit" pending={update.isPending}>
            Change password
          </Button>
        </form>
      </CardBody>
    </Card>
  );
}
