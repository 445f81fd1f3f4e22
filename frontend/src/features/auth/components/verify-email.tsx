"use client";

import { BadgeCheck } from "lucide-react";
import Link from "next/link";
import { useEffect, useRef } from "react";

import { buttonVariants } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { ErrorState } from "@/components/ui/error-state";
import { Spinner } from "@/components/ui/spinner";
import { ApiError } from "@/lib/api/problem";
import { useLinkToken } from "@/lib/hooks/use-link-token";
import { HOME } from "@/lib/paths";

import { useVerifyEmail } from "../api/recovery";
import { DeadLink } from "./dead-link";

/** Follows the link by itself: whoever opened it has read the mail. */
export function VerifyEmail() {
  const token = useLinkToken();
  const { mutate, data, error } = useVerifyEmail();
  const followed = useRef<string | null>(null);

  useEffect(() => {
    if (!token || followed.current === token) return;
    followed.current = token;
    mutate(token);
  }, [token, mutate]);

  if (data) {
    return (
      <Empty
        icon={BadgeCheck}
        title="Your address is confirmed"
        className="px-0 py-6"
        action={
          <Link href={HOME} className={buttonVariants()}>
            Continue
          </Link>
        }
      >
        Thank you: {data.email} is yours.
      </Empty>
    );
  }
  if (token === "" || (error instanceof ApiError && error.code === "link_invalid")) {
    return (
      <DeadLink href={HOME} action="Go to Mobula">
        It works once, for a day, and only for the address it was sent to. Sign in and have a new one sent.
      </DeadLink>
    );
  }
  if (error && token) {
    return (
      <ErrorState
        error={error}
        title="Your address is not confirmed yet"
        onRetry={() => mutate(token)}
        className="px-0"
      />
    );
  }
  return (
    <p role="status" className="flex items-center justify-center gap-3 py-10 text-sm text-muted-foreground">
      <Spinner /> Confirming your address …
    </p>
  );
}
