import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { OrderDesk } from "@/features/orders/components/order-desk";

import { Permitted } from "../_components/permitted";

export const metadata: Metadata = { title: "Order desk" };

export default function DeskPage() {
  return (
    <Permitted permission="orders:read_all">
      <PageHeader title="Order desk">
        Everybody&apos;s orders, newest first, and where they go next.
      </PageHeader>
      <Suspense>
        <OrderDesk />
      </Suspense>
    </Permitted>
  );
}
