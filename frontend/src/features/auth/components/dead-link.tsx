import { Unlink } from "lucide-react";
import Link from "next/link";

import { buttonVariants } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";

/** A mailed link that leads nowhere (any more), and what to do about it. */
export function DeadLink({ children, href, action }: { children: string; href: string; action: string }) {
  return (
    <Empty
      icon={Unlink}
      title="This link does not work"
      className="px-0 py-6"
      action={
        <Link href={href} className={buttonVariants({ variant: "secondary" })}>
          {action}
        </Link>
      }
    >
      {children}
    </Empty>
  );
}
