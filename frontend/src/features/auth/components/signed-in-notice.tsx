import { CircleUserRound } from "lucide-react";
import Link from "next/link";

/** For whoever comes to sign in and has done so already. */
export function SignedInNotice({ next }: { next: string }) {
  return (
    <p className="mb-6 flex items-center gap-2.5 rounded-md bg-primary-soft px-3 py-2.5 text-sm text-primary">
      <CircleUserRound aria-hidden className="size-4 shrink-0" />
      <span>
        You are signed in already.{" "}
        <Link href={next} className="font-medium underline underline-offset-4">
          Continue
        </Link>
      </span>
    </p>
  );
}
