import type { Metadata } from "next";

import { VerifyEmail } from "@/features/auth/components/verify-email";

export const metadata: Metadata = { title: "Confirm your address", referrer: "no-referrer" };

export default function VerifyEmailPage() {
  return (
    <>
      <h1 className="mb-4 text-2xl font-semibold">Confirm your address</h1>
      <VerifyEmail />
    </>
  );
}
