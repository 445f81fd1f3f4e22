"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { MailCheck } from "lucide-react";
import Link from "next/link";
import { useForm } from "react-hook-form";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

import { useForgotPassword } from "../api/recovery";
import { emailAddress } from "../rules";

const schema = z.object({ email: emailAddress("Enter the e-mail address of your account.") });

export function ForgotPasswordForm() {
  const forgot = useForgotPassword();
  const form = useForm({ resolver: zodResolver(schema), defaultValues: { email: "" } });
  const { errors } = form.formState;

  if (forgot.isSuccess) {
    return (
      <Empty
        icon={MailCheck}
        title="Look into your mail"
        className="px-0 py-6"
        action={
          <Button variant="secondary" onClick={() => forgot.reset()}>
            Try another address
          </Button>
        }
      >
        If there is an account with the address {forgot.variables}, a link to choose a new password is on its
        way. It works for half an hour.
      </Empty>
    );
  }
  return (
    <form
      method="post"
      onSubmit={form.handleSubmit(({ email }) => forgot.mutate(email))}
      noValidate
      className="space-y-4"
      aria-label="Forgot your password"
    >
      <FormError error={forgot.error} />
      <Field label="Email" error={errors.email?.message}>
        <Input type="email" autoComplete="username" autoFocus {...form.register("email")} />
      </Field>
      <Button type="submit" size="lg" className="w-full" pending={forgot.isPending}>
        Send the link
      </Button>
      <p className="text-center text-sm text-muted-foreground">
        Remembered it?{" "}
        <Link href="/login" className="font-medium text-primary underline-offset-4 hover:underline">
          Sign in
        </Link>
      </p>
    </form>
  );
}
