"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useForm } from "react-hook-form";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

import { useLogin } from "../api/session";
import { PasswordInput } from "./password-input";

const schema = z.object({
  email: z.email("Enter the e-mail address of your account."),
  password: z.string().min(1, "Enter your password."),
});

export function LoginForm({ next, registerHref }: { next: string; registerHref: string }) {
  const router = useRouter();
  const login = useLogin();
  const form = useForm({ resolver: zodResolver(schema), defaultValues: { email: "", password: "" } });
  const { errors } = form.formState;

  const submit = form.handleSubmit((values) =>
    login.mutate(values, { onSuccess: () => router.replace(next) }),
  );

  return (
    // method=post: should the form be sent before scripts run, a password never lands in the address bar.
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Sign in">
      <FormError error={login.error} />
      <Field label="Email" error={errors.email?.message}>
        <Input type="email" autoComplete="username" autoFocus {...form.register("email")} />
      </Field>
      <Field label="Password" error={errors.password?.message}>
        <PasswordInput autoComplete="current-password" {...form.register("password")} />
      </Field>
      <Button type="submit" size="lg" className="w-full" pending={login.isPending || login.isSuccess}>
        Sign in
      </Button>
      <p className="text-center text-sm text-muted-foreground">
        New here?{" "}
        <Link href={registerHref} className="font-medium text-primary underline-offset-4 hover:underline">
          Create an account
        </Link>
      </p>
    </form>
  );
}
