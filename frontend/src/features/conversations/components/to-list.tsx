import { ChevronLeft } from "lucide-react";
import Link from "next/link";

import { buttonVariants } from "@/components/ui/button";
import { cn } from "@/lib/cn";

/** Back to all conversations, where they are not beside the one that is open. */
export function ToList() {
  return (
    <Link
      href="/conversations"
      aria-label="All conversations"
      className={cn(buttonVariants({ variant: "ghost", size: "icon" }), "-ml-1 md:hidden")}
    >
      <ChevronLeft aria-hidden />
    </Link>
  );
}
