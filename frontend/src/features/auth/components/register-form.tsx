"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { MailCheck, UserRoundCheck } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { type Path, useForm } from "react-hook-form";
import { z } from "zod";

import { Button, buttonVariants } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { applyFieldErrors } from "@/lib/api/form-errors";
import { messageOf } from "@/lib/api/problem";

import { useRegister } from "../api/session";
import { emailAddress, newPassword, username } from "../rules";
import { PasswordInput } from "./password-input";

const schema = z.object({
  email: emailAddress("Enter a valid e-mail address."),
  username,
  password: newPassword,
});

type Values = z.infer<typeof schema>;
const FIELDS: readonly Path<Values>[] = ["email", "username", "password"];

export function RegisterForm({ next, loginHref }: { next: string; loginHref: string }) {
  const router = useRouter();
  const register = useRegister();
  const form = useForm<Values>({
    resolver: zodResolver(schema),
    defaultValues: { email: "", username: "", password: "" },
  });
  const { errors } = form.formState;

  const submit = form.handleSubmit((values) =>
    register.mutate(values, {
      onSuccess: ({ outcome }) => outcome === "signed-in" && router.replace(next),
      onError: (error) => applyFieldErrors(error, FIELDS, form.setError),
    }),
  );

  const done = register.data;
  if (done?.outcome === "not-signed-in") {
    return (
      <Empty
        icon={UserRoundCheck}
        title="Your account is ready"
        className="py-6"
        action={
          <Link href={loginHref} className={buttonVariants()}>
            Sign in
          </Link>
        }
      >
        Only signing in did not work just now. {messageOf(done.because)}
      </Empty>
    );
  }
  if (done?.outcome === "hidden") {
    return (
      <Empty icon={MailCheck} title="Almost there" className="py-6">
        If the address was new, the account is ready. You can{" "}
        <Link href={loginHref} className="font-medium text-primary hover:underline">
          sign in
        </Link>{" "}
        now.
      </Empty>
    );
  }
  return (
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Create an account">
      {Object.keys(errors).length === 0 ? <FormError error={register.error} /> : null}
      <Field label="Email" error={errors.email?.message}>
        <Input type="email" autoComplete="email" autoFocus {...form.register("email")} />
      </Field>
      <Field label="Username" hint="What others see when you talk." error={errors.username?.message}>
        <Input
          autoComplete="nickname"
          autoCapitalize="none"
          spellCheck={false}
          {...form.register("username")}
        />
      </Field>
      <Field
        label="Password"
        hint="12 characters or more; a few random words do well."
        error={errors.password?.message}
      >
        <PasswordInput autoComplete="new-password" {...form.register("password")} />
      </Field>
      <Button
        type="submit"
        size="lg"
        className="w-full"
        pending={register.isPending || done?.outcome === "signed-in"}
      >
        Create account
      </Button>
      <p className="text-center text-sm text-muted-foreground">
        Already have one?{" "}
        <Link href={loginHref} className="font-medium text-primary underline-offset-4 hover:underline">
          Sign in
        </Link>
      </p>
    </form>
  );
}
