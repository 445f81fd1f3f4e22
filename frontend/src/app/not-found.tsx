import Link from "next/link";

import { buttonVariants } from "@/components/ui/button";
import { LogoMark } from "@/components/ui/logo";

export default function NotFound() {
  return (
    <main id="main" className="grid min-h-dvh place-items-center p-6 text-center">
      <div>
        <LogoMark className="mx-auto size-14 text-primary" />
        <h1 className="mt-6 text-2xl font-semibold">There is nothing at this address</h1>
        <p className="mt-2 text-muted-foreground">It may have moved, or the link was mistyped.</p>
        <Link href="/" className={`${buttonVariants({ variant: "secondary" })} mt-6`}>
          Back to the start
        </Link>
      </div>
    </main>
  );
}
