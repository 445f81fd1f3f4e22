import type { Metadata } from "next";

import { LoginForm } from "@/features/auth/components/login-form";
import { SignedInNotice } from "@/features/auth/components/signed-in-notice";
import { safeNext } from "@/lib/paths";
import { isSignedIn } from "@/lib/signed-in";

export const metadata: Metadata = { title: "Sign in" };

export default async function LoginPage({ searchParams }: PageProps<"/login">) {
  const given = (await searchParams).next;
  const next = safeNext(typeof given === "string" ? given : null);
  return (
    <>
      <h1 className="text-2xl font-semibold">Welcome back</h1>
      <p className="mt-1 mb-8 text-sm text-muted-foreground">Sign in to continue where you left off.</p>
      {(await isSignedIn()) ? <SignedInNotice next={next} /> : null}
      <LoginForm next={next} registerHref={`/register?next=${encodeURIComponent(next)}`} />
    </>
  );
}
