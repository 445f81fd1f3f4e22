import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { OrderList } from "@/features/orders/components/order-list";

export const metadata: Metadata = { title: "Orders" };

export default function OrdersPage() {
  return (
    <>
      <PageHeader title="Orders">Newest first. A status that changes, changes here.</PageHeader>
      <Suspense>
        <OrderList />
      </Suspense>
    </>
  );
}
