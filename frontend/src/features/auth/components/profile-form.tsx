"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { type Path, useForm } from "react-hook-form";
import { z } from "zod";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { applyFieldErrors } from "@/lib/api/form-errors";
import { useCurrentUser } from "@/lib/current-user";
import { humanise } from "@/lib/format";

import { useUpdateProfile } from "../api/profile";
import { useSecondFactor } from "../api/second-factor";
import { emailAddress, MIN_CODE, username } from "../rules";
import { CodeField } from "./code-field";
import { PasswordInput } from "./password-input";

const schema = z.object({
  username,
  email: emailAddress("Enter a valid e-mail address."),
  current_password: z.string(),
  code: z.string().trim(),
});

type Values = z.infer<typeof schema>;
const FIELDS: readonly Path<Values>[] = ["username", "email", "current_password", "code"];

export function ProfileForm() {
  const user = useCurrentUser();
  const update = useUpdateProfile();
  const secondFactor = useSecondFactor().data?.enabled === true;
  const form = useForm<Values>({
    resolver: zodResolver(schema),
    defaultValues: { username: user.username, email: user.email, current_password: "", code: "" },
  });
  // What was changed here, and not what differs: the account may have got another name on another device meanwhile.
  const { errors, isDirty, dirtyFields } = form.formState;
  const emailChanged = dirtyFields.email === true;

  const submit = form.handleSubmit((values) => {
    const passwordMissing = emailChanged && !values.current_password;
    const codeMissing = emailChanged && secondFactor && values.code.length < MIN_CODE;
    if (passwordMissing) form.setError("current_password", { message: "A new address needs your password." });
    if (codeMissing) form.setError("code", { message: "Enter a code." });
    if (passwordMissing || codeMissing) return;
    update.mutate(
      {
        username: dirtyFields.username ? values.username : undefined,
        email: emailChanged ? values.email : undefined,
        current_password: emailChanged ? values.current_password : undefined,
        code: emailChanged && secondFactor ? values.code : undefined,
      },
      {
        onSuccess: (saved) => {
          form.reset({ username: saved.username, email: saved.email, current_password: "", code: "" });
          toast.success("Your profile is saved");
        },
        onError: (error) => applyFieldErrors(error, FIELDS, form.setError),
      },
    );
  });

  return (
    <Card>
      <CardHeader>
        <CardTitle>Profile</CardTitle>
        <span className="flex flex-wrap gap-1.5">
          {user.roles.map((role) => (
            <Badge key={role} tone="primary">
              {humanise(role)}
            </Badge>
          ))}
        </span>
      </CardHeader>
      <CardBody>
        <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Profile">
          {Object.keys(errors).length === 0 ? <FormError error={update.error} /> : null}
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Username" error={errors.username?.message}>
              <Input autoComplete="nickname" {...form.register("username")} />
            </Field>
            <Field label="Email" error={errors.email?.message}>
              <Input type="email" autoComplete="email" {...form.register("email")} />
            </Field>
          </div>
          {emailChanged ? (
            <div className="grid gap-4 sm:grid-cols-2">
              <Field label="Current password" error={errors.current_password?.message}>
                <PasswordInput autoComplete="current-password" {...form.register("current_password")} />
              </Field>
              {secondFactor ? <CodeField error={errors.code?.message} {...form.register("code")} /> : null}
            </div>
          ) : null}
          <Button type="submit" pending={update.isPending} disabled={!isDirty}>
            Save profile
          </Button>
        </form>
      </CardBody>
    </Card>
  );
}
