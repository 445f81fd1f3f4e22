"use client";

import Image from "next/image";
import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { complaintsOf } from "@/lib/api/form-errors";
import type { Enrolment } from "@/lib/api/types";

import { useBeginEnrolment, useConfirmEnrolment } from "../api/second-factor";
import { useTypedCode } from "../hooks/use-typed-code";
import { CodeField } from "./code-field";
import { PasswordInput } from "./password-input";

interface EnrolmentFormProps {
  onEnrolled: (codes: readonly string[]) => void;
  onCancel: () => void;
}

/** First the password, then the QR code and a code of the app that has scanned it. */
export function EnrolmentForm({ onEnrolled, onCancel }: EnrolmentFormProps) {
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  return enrolment ? (
    <ScanForm enrolment={enrolment} onEnrolled={onEnrolled} onCancel={onCancel} />
  ) : (
    <BeginForm onBegun={setEnrolment} onCancel={onCancel} />
  );
}

function BeginForm({ onBegun, onCancel }: { onBegun: (enrolment: Enrolment) => void; onCancel: () => void }) {
  const begin = useBeginEnrolment();
  const [password, setPassword] = useState("");
  const [missing, setMissing] = useState(false);
  const { beside, left } = complaintsOf(begin.error, ["current_password"]);

  function submit(event: FormEvent) {
    event.preventDefault();
    setMissing(password === "");
    if (password !== "") begin.mutate(password, { onSuccess: onBegun });
  }

  return (
    <form
      method="post"
      onSubmit={submit}
      noValidate
      className="max-w-sm space-y-4"
      aria-label="Begin the setup"
    >
      <FormError error={left} />
      <Field label="Current password" error={missing ? "Enter your password." : beside.current_password}>
        <PasswordInput
          autoComplete="current-password"
          autoFocus
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      <div className="flex flex-wrap gap-2">
        <Button type="submit" pending={begin.isPending}>
          Continue
        </Button>
        <Button variant="secondary" disabled={begin.isPending} onClick={onCancel}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function ScanForm({ enrolment, onEnrolled, onCancel }: EnrolmentFormProps & { enrolment: Enrolment }) {
  const confirm = useConfirmEnrolment();
  const typed = useTypedCode();
  const { beside, left } = complaintsOf(confirm.error, ["code"]);

  function submit(event: FormEvent) {
    event.preventDefault();
    const code = typed.take();
    if (code === null) return;
    confirm.mutate(code, {
      onSuccess: ({ recovery_codes }) => onEnrolled(recovery_codes),
      onError: typed.clear,
    });
  }

  return (
    <form
      method="post"
      onSubmit={submit}
      noValidate
      className="grid gap-6 sm:grid-cols-[auto_1fr]"
      aria-label="Set up the authenticator app"
    >
      <Image
        unoptimized
        src={`data:image/svg+xml;utf8,${encodeURIComponent(enrolment.qr_svg)}`}
        alt="QR code for your authenticator app"
        width={208}
        height={208}
        className="size-52 justify-self-center rounded-md border bg-white"
      />
      <div className="min-w-0 space-y-4">
        <p className="text-sm text-muted-foreground">
          Scan the code with an authenticator app. If you cannot, type this secret into it:
        </p>
        <code
          data-testid="totp-secret"
          className="block rounded-md border bg-muted/50 px-3 py-2 font-mono text-sm break-all select-all"
        >
          {enrolment.secret.match(/.{1,4}/g)?.join(" ")}
        </code>
        <FormError error={left} />
        <CodeField
          hint="The six digits that the app shows now."
          error={typed.missing ? "Enter the six digits." : beside.code}
          inputMode="numeric"
          placeholder="123456"
          autoFocus
          {...typed.field}
        />
        <div className="flex flex-wrap gap-2">
          <Button type="submit" pending={confirm.isPending}>
            Switch on
          </Button>
          {/* The answer brings recovery codes, which are shown once: somebody has to be here. */}
          <Button variant="secondary" disabled={confirm.isPending} onClick={onCancel}>
            Cancel
          </Button>
        </div>
      </div>
    </form>
  );
}
