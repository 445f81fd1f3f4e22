"use client";

import { Receipt } from "lucide-react";
import Link from "next/link";

import { buttonVariants } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { PageHeader } from "@/components/ui/page-header";
import { DashboardView } from "@/features/dashboard/components/dashboard-view";
import { OrderTable } from "@/features/orders/components/order-table";
import { useCurrentUser } from "@/lib/current-user";

export function DashboardPage() {
  const user = useCurrentUser();
  return (
    <>
      <PageHeader title={`Hello, ${user.username}`}>How things are, as they change.</PageHeader>
      <DashboardView
        recentOrders={(orders) =>
          orders.length === 0 ? (
            <Empty
              icon={Receipt}
              title="No orders yet"
              className="py-10"
              action={
                <Link href="/catalogue" className={buttonVariants()}>
                  Browse the catalogue
                </Link>
              }
            >
              Place one, and watch it move from pending to delivered.
            </Empty>
          ) : (
            <OrderTable orders={orders} />
          )
        }
      />
    </>
  );
}
