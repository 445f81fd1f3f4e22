import Link from "next/link";
import type { ReactNode } from "react";

import { Logo, LogoMark } from "@/components/ui/logo";
import { ThemeToggle } from "@/components/ui/theme-toggle";

export default function AuthLayout({ children }: { children: ReactNode }) {
  return (
    <div className="grid min-h-dvh lg:grid-cols-[1fr_1.1fr]">
      <div className="flex flex-col p-6 sm:p-10">
        <header className="flex items-center justify-between">
          <Link href="/" className="rounded-md">
            <Logo />
          </Link>
          <ThemeToggle />
        </header>
        <main id="main" className="mx-auto flex w-full max-w-sm flex-1 flex-col justify-center py-12">
          {children}
        </main>
      </div>
      <aside
        aria-hidden
        className="relative hidden overflow-hidden bg-[linear-gradient(160deg,oklch(0.36_0.075_228),oklch(0.2_0.045_245))] text-[oklch(0.93_0.03_205)] lg:block"
      >
        <LogoMark className="absolute -right-40 bottom-[-6rem] size-[44rem] rotate-[-24deg] opacity-[0.09]" />
        <LogoMark className="absolute top-28 left-16 size-16 rotate-[28deg] opacity-25" />
        <LogoMark className="absolute top-56 left-44 size-8 rotate-[32deg] opacity-20" />
        <div className="absolute inset-x-14 bottom-14 max-w-md">
          <p className="text-3xl leading-tight font-semibold tracking-tight">
            What changes on the server is on your screen a moment later.
          </p>
          <p className="mt-3 opacity-75">
            Orders, messages, exports and figures arrive over one socket, and what you missed while you were
            away is made up for.
          </p>
        </div>
      </aside>
    </div>
  );
}
