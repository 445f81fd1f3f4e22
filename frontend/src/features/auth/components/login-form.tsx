"use client";

import { zodResolver } from "@hookform/resolvers/zod";
import { Fingerprint } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { useForm } from "react-hook-form";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

import { useLogin } from "../api/session";
import { usePasskeyLogin } from "../hooks/use-passkey-login";
import { emailAddress } from "../rules";
import { LoginCodeForm } from "./login-code-form";
import { PasswordInput } from "./password-input";

const schema = z.object({
  email: emailAddress("Enter the e-mail address of your account."),
  password: z.string().min(1, "Enter your password."),
});

export function LoginForm({ next, registerHref }: { next: string; registerHref: string }) {
  const router = useRouter();
  const login = useLogin();
  const form = useForm({ resolver: zodResolver(schema), defaultValues: { email: "", password: "" } });
  const { errors } = form.formState;
  const [challenge, setChallenge] = useState<string | null>(null);
  const [expired, setExpired] = useState<unknown>(null);

  const passkey = usePasskeyLogin(() => router.replace(next));

  const submit = form.handleSubmit((values) => {
    setExpired(null);
    passkey.forget();
    login.mutate(values, {
      onSuccess: (outcome) =>
        "challenge" in outcome ? setChallenge(outcome.challenge) : router.replace(next),
    });
  });

  if (challenge !== null) {
    return (
      <LoginCodeForm
        challenge={challenge}
        onSignedIn={() => router.replace(next)}
        onStartAgain={(because) => {
          setExpired(because ?? null);
          setChallenge(null);
          login.reset();
          form.resetField("password");
        }}
      />
    );
  }
  return (
    // method=post: should the form be sent before scripts run, a password never lands in the address bar.
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Sign in">
      <FormError error={passkey.error ?? login.error ?? expired} />
      <Field label="Email" error={errors.email?.message}>
        <Input type="email" autoComplete="username webauthn" autoFocus {...form.register("email")} />
      </Field>
      <Field label="Password" error={errors.password?.message}>
        <PasswordInput autoComplete="current-password" {...form.register("password")} />
      </Field>
      <p className="-mt-2 text-right text-sm">
        <Link href="/forgot-password" className="font-medium text-primary underline-offset-4 hover:underline">
          Forgot your password?
        </Link>
      </p>
      <Button type="submit" size="lg" className="w-full" pending={login.isPending || login.isSuccess}>
        Sign in
      </Button>
      {passkey.supported ? (
        <>
          <p className="flex items-center gap-3 text-sm text-muted-foreground before:h-px before:flex-1 before:bg-border after:h-px after:flex-1 after:bg-border">
            or
          </p>
          <Button
            variant="secondary"
            size="lg"
            className="w-full"
            pending={passkey.pending}
            disabled={login.isPending || login.isSuccess}
            onClick={() => {
              login.reset();
              setExpired(null);
              void passkey.ask();
            }}
          >
            <Fingerprint aria-hidden /> Sign in with a passkey
          </Button>
        </>
      ) : null}
      <p className="text-center text-sm text-muted-foreground">
        New here?{" "}
        <Link href={registerHref} className="font-medium text-primary underline-offset-4 hover:underline">
          Create an account
        </Link>
      </p>
    </form>
  );
}
