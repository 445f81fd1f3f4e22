import type { Metadata } from "next";

import { RegisterForm } from "@/features/auth/components/register-form";
import { loginPath, safeNext } from "@/lib/paths";

export const metadata: Metadata = { title: "Create an account" };

export default async function RegisterPage({ searchParams }: PageProps<"/register">) {
  const given = (await searchParams).next;
  const next = safeNext(typeof given === "string" ? given : null);
  return (
    <>
      <h1 className="text-2xl font-semibold">Create an account</h1>
      <p className="mt-1 mb-8 text-sm text-muted-foreground">A minute, and you can order, talk and export.</p>
      <RegisterForm next={next} loginHref={loginPath(next)} />
    </>
  );
}
