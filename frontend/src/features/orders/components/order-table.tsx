import Link from "next/link";

import { RelativeTime } from "@/components/ui/relative-time";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import type { OrderSummary } from "@/lib/api/types";
import { formatMoney } from "@/lib/format";

import { StatusBadge } from "./status-badge";

export function OrderTable({ orders }: { orders: readonly OrderSummary[] }) {
  return (
    <Table label="Orders">
      <thead>
        <tr>
          <Th>Order</Th>
          <Th>Status</Th>
          <Th className="max-sm:hidden">Placed</Th>
          <Th className="text-right max-sm:hidden">Lines</Th>
          <Th className="text-right">Total</Th>
        </tr>
      </thead>
      <tbody>
        {orders.map((order) => (
          <Tr key={order.id} className="relative">
            <Td className="font-medium whitespace-nowrap">
              <Link href={`/orders/${order.id}`} className="after:absolute after:inset-0 hover:text-primary">
                {order.order_number}
              </Link>
            </Td>
            <Td>
              <StatusBadge status={order.status} />
            </Td>
            <Td className="whitespace-nowrap text-muted-foreground max-sm:hidden">
              <RelativeTime at={order.created_at} />
            </Td>
            <Td className="text-right tabular-nums max-sm:hidden">{order.item_count}</Td>
            <Td className="text-right font-medium whitespace-nowrap tabular-nums">
              {formatMoney(order.total_amount, order.currency)}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}
