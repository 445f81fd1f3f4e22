import type { Metadata } from "next";

import { OrderDetail } from "@/features/orders/components/order-detail";

export const metadata: Metadata = { title: "Order" };

export default async function OrderPage({ params }: PageProps<"/orders/[id]">) {
  return <OrderDetail orderId={(await params).id} />;
}
