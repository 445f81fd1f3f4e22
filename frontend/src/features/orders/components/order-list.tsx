"use client";

import { Receipt } from "lucide-react";
import Link from "next/link";
import { parseAsInteger, parseAsStringLiteral, useQueryStates } from "nuqs";

import { buttonVariants } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Pagination, PastTheEnd } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { Select } from "@/components/ui/select";
import { SkeletonRows } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";

import { useOrders } from "../api/orders";
import { useLiveOrders } from "../hooks/use-live-orders";
import { STATUS, STEPS } from "../status";
import { OrderTable } from "./order-table";

const ALL = "all";
const STATUSES = [...STEPS, "cancelled"] as const;
const OPTIONS = [
  { value: ALL, label: "All statuses" },
  ...STATUSES.map((status) => ({ value: status, label: STATUS[status].label })),
] as const;

export function OrderList() {
  useLiveOrders();
  const [{ page, status }, set] = useQueryStates(
    { page: parseAsInteger.withDefault(1), status: parseAsStringLiteral(STATUSES) },
    { history: "push" },
  );
  const orders = useOrders({ page: Math.max(1, page), status: status ?? undefined });

  return (
    <div className="space-y-4">
      <div className="w-44">
        <Select
          aria-label="Status"
          options={OPTIONS}
          value={status ?? ALL}
          onChange={(value) => void set({ page: 1, status: value === ALL ? null : value })}
        />
      </div>
      <Card className={cn(orders.isPlaceholderData && "opacity-60")}>
        <QueryState query={orders} loading={<SkeletonRows />}>
          {({ items }) =>
            items.length > 0 ? (
              <OrderTable orders={items} />
            ) : page > 1 ? (
              <PastTheEnd onFirst={() => void set({ page: 1 })} />
            ) : (
              <Empty
                icon={Receipt}
                title={status ? `No order is ${STATUS[status].label.toLowerCase()}` : "No orders yet"}
                action={
                  <Link href="/catalogue" className={buttonVariants()}>
                    Browse the catalogue
                  </Link>
                }
              >
                Orders you place show up here, and move along by themselves.
              </Empty>
            )
          }
        </QueryState>
      </Card>
      {orders.data && orders.data.items.length > 0 ? (
        <Pagination
          page={page}
          pages={orders.data.pages ?? 1}
          total={orders.data.total ?? orders.data.items.length}
          noun={orders.data.total === 1 ? "order" : "orders"}
          onPage={(next) => void set({ page: next })}
        />
      ) : null}
    </div>
  );
}
