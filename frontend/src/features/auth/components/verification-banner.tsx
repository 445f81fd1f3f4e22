"use client";

import { useQuery } from "@tanstack/react-query";
import { MailWarning } from "lucide-react";

import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { useCurrentUser } from "@/lib/current-user";

import { useRequestVerification } from "../api/recovery";
import { meQuery } from "../api/session";

/** Asks whoever has not confirmed their address to do so. */
export function VerificationBanner() {
  const user = useCurrentUser();
  return user.is_verified ? null : <Banner email={user.email} />;
}

function Banner({ email }: { email: string }) {
  const again = useRequestVerification();
  // The link is followed in another tab: coming back from there, look.
  useQuery({ ...meQuery, refetchOnWindowFocus: "always" });
  return (
    <section
      aria-label="Confirm your address"
      className="flex flex-wrap items-center gap-x-3 gap-y-1.5 border-b bg-warning-soft px-4 py-2 text-sm text-warning sm:px-6"
    >
      <MailWarning aria-hidden className="size-4 shrink-0" />
      <p className="min-w-0 flex-1">
        Confirm your e-mail address: follow the link that we sent to{" "}
        <span className="font-medium wrap-anywhere">{email}</span>.
      </p>
      <Button
        variant="secondary"
        size="sm"
        className="text-foreground"
        pending={again.isPending}
        onClick={() =>
          again.mutate(undefined, {
            onSuccess: () => toast.success("The link is on its way", email),
            onError: (error) => toast.error("No link was sent", error),
          })
        }
      >
        Send again
      </Button>
    </section>
  );
}
