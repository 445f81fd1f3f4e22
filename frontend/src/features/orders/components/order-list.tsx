"use client";

import { Receipt } from "lucide-react";
import Link from "next/link";
import { parseAsInteger, useQueryStates } from "nuqs";

import { buttonVariants } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { noSuchPage, Pagination, PastTheEnd } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";

import { useOrders } from "../api/orders";
import { useLiveOrders } from "../hooks/use-live-orders";
import { STATUS } from "../status";
import { OrderTable } from "./order-table";
import { parseAsStatus, StatusSelect } from "./status-select";

export function OrderList() {
  useLiveOrders();
  const [{ page, status }, set] = useQueryStates(
    { page: parseAsInteger.withDefault(1), status: parseAsStatus },
    { history: "push" },
  );
  const orders = useOrders({ page: Math.max(1, page), status: status ?? undefined });

  return (
    <div className="space-y-4">
      <StatusSelect value={status} onChange={(chosen) => void set({ page: 1, status: chosen })} />
      <Card className={cn(orders.isPlaceholderData && "opacity-60")}>
        <QueryState
          query={orders}
          loading={<SkeletonRows />}
          failed={noSuchPage(() => void set({ page: 1 }))}
        >
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
