"use client";

import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/error-state";
import { ApiError } from "@/lib/api/problem";

import { useAnswerChallenge } from "../api/session";
import { useTypedCode } from "../hooks/use-typed-code";
import { CodeField } from "./code-field";

interface LoginCodeFormProps {
  challenge: string;
  onSignedIn: () => void;
  /** Back to the password: by choice, or because the challenge is void. */
  onStartAgain: (because?: unknown) => void;
}

/** The second step of signing in. */
export function LoginCodeForm({ challenge, onSignedIn, onStartAgain }: LoginCodeFormProps) {
  const answer = useAnswerChallenge();
  const answered = answer.isPending || answer.isSuccess; // Who is signed in by it must not be left here.
  const [recovery, setRecovery] = useState(false);
  const typed = useTypedCode();

  function submit(event: FormEvent) {
    event.preventDefault();
    const code = typed.take();
    if (code === null) return;
    answer.mutate(
      { challenge, code },
      {
        onSuccess: onSignedIn,
        onError: (error) => {
          typed.clear();
          if (error instanceof ApiError && error.code === "login_challenge_invalid") onStartAgain(error);
        },
      },
    );
  }

  return (
    <form method="post" onSubmit={submit} noValidate className="space-y-4" aria-label="Confirm it is you">
      <FormError error={answer.error} />
      <CodeField
        key={String(recovery)}
        label={recovery ? "Recovery code" : "Code"}
        hint={recovery ? "One of those you kept; each works once." : "Your authenticator app shows it."}
        error={typed.missing ? (recovery ? "Enter a recovery code." : "Enter the six digits.") : undefined}
        inputMode={recovery ? "text" : "numeric"}
        placeholder={recovery ? "XXXX-XXXX-XXXX" : "123456"}
        autoFocus
        {...typed.field}
      />
      <Button type="submit" size="lg" className="w-full" pending={answered}>
        Sign in
      </Button>
      <p className="flex flex-wrap justify-between gap-2 text-sm">
        <Button
          variant="link"
          size="inline"
          disabled={answered}
          onClick={() => {
            setRecovery((now) => !now);
            typed.reset();
            answer.reset();
          }}
        >
          {recovery ? "Use the authenticator app" : "Use a recovery code"}
        </Button>
        <Button variant="link" size="inline" disabled={answered} onClick={() => onStartAgain()}>
          Start again
        </Button>
      </p>
    </form>
  );
}
