"use client";

import { Lock } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";

import { buttonVariants } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { can, useCurrentUser } from "@/lib/current-user";
import { HOME } from "@/lib/paths";

/** A page for those who hold a permission. Others are told so instead of being shown refusals of the API. */
export function Permitted({ permission, children }: { permission: string; children: ReactNode }) {
  const user = useCurrentUser();
  if (can(user, permission)) return children;
  return (
    <Card>
      <Empty
        icon={Lock}
        title="This page is not for you"
        action={
          <Link href={HOME} className={buttonVariants({ variant: "secondary" })}>
            Back to the dashboard
          </Link>
        }
      >
        Your account may not see it. An administrator can change that.
      </Empty>
    </Card>
  );
}
