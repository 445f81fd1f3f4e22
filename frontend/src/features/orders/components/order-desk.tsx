"use client";

import { ClipboardList } from "lucide-react";
import Link from "next/link";
import { parseAsInteger, parseAsString, useQueryStates } from "nuqs";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Input } from "@/components/ui/input";
import { noSuchPage, Pagination, PastTheEnd } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { SkeletonRows } from "@/components/ui/skeleton";
import type { OrderSummary } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { can, useCurrentUser } from "@/lib/current-user";
import { formatMoney } from "@/lib/format";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { useDesk } from "../api/desk";
import { reachable, STATUS } from "../status";
import { MoveDialog } from "./move-dialog";
import { StatusBadge } from "./status-badge";
import { parseAsStatus, StatusSelect } from "./status-select";

const TYPING_MS = 300;
/** As long as the API takes. */
const MAX_NUMBER = 20;

/** Everybody's orders, for those who look after them. */
export function OrderDesk() {
  const [{ page, status, number, person }, set] = useQueryStates(
    {
      page: parseAsInteger.withDefault(1),
      status: parseAsStatus,
      number: parseAsString.withDefault(""),
      person: parseAsString,
    },
    { history: "push" },
  );
  const orders = useDesk({
    page: Math.max(1, page),
    status: status ?? undefined,
    number: useDebounced(number.trim(), TYPING_MS) || undefined,
    user_id: person ?? undefined,
  });
  const [moved, setMoved] = useState<OrderSummary | null>(null);
  // Of the order that is being moved, what is known now: somebody else may move it meanwhile.
  const opened = orders.data?.items.find(({ id }) => id === moved?.id) ?? moved;

  return (
    <div className="space-y-4">
      <div role="search" aria-label="Everybody's orders" className="flex flex-wrap gap-3">
        <StatusSelect value={status} onChange={(chosen) => void set({ page: 1, status: chosen })} />
        <Input
          type="search"
          aria-label="Order number"
          maxLength={MAX_NUMBER}
          placeholder="Number, such as M-100042"
          className="sm:w-60"
          value={number}
          onChange={(event) =>
            void set({ page: 1, number: event.target.value || null }, { history: "replace" })
          }
        />
        {person ? (
          <Button variant="soft" onClick={() => void set({ page: 1, person: null })}>
            Orders of everybody
          </Button>
        ) : null}
      </div>
      <Card className={cn("transition-opacity", orders.isPlaceholderData && "opacity-60")}>
        <QueryState
          query={orders}
          loading={<SkeletonRows />}
          failed={noSuchPage(() => void set({ page: 1 }))}
        >
          {({ items }) =>
            items.length > 0 ? (
              <ul aria-label="Orders" className="divide-y">
                {items.map((order) => (
                  <DeskRow key={order.id} order={order} onMove={setMoved} />
                ))}
              </ul>
            ) : page > 1 ? (
              <PastTheEnd onFirst={() => void set({ page: 1 })} />
            ) : (
              <Empty icon={ClipboardList} title="No orders here">
                {status || number || person
                  ? "None matches the filter. Numbers are matched as a whole."
                  : "What people order shows up here by itself."}
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
      <MoveDialog order={opened} onClose={() => setMoved(null)} />
    </div>
  );
}

/** A line where there is room, a card on a phone. */
function DeskRow({ order, onMove }: { order: OrderSummary; onMove: (order: OrderSummary) => void }) {
  const manages = can(useCurrentUser(), "orders:manage");
  const [next] = reachable(order.status);
  return (
    <li
      data-testid="desk-order"
      className="relative flex flex-wrap items-center gap-x-5 gap-y-3 px-5 py-3 transition-colors hover:bg-muted/50"
    >
      <div className="min-w-0 flex-1 basis-52">
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <Link
            href={`/orders/${order.id}`}
            className="text-sm font-medium after:absolute after:inset-0 hover:text-primary"
          >
            {order.order_number}
          </Link>
          <StatusBadge status={order.status} />
        </p>
        <p className="mt-1 text-sm break-words text-muted-foreground">
          <span className="text-foreground">{order.username ?? order.user_id}</span> ·{" "}
          <RelativeTime at={order.created_at} /> · {order.item_count}{" "}
          {order.item_count === 1 ? "line" : "lines"}
        </p>
        {order.note ? <p className="mt-0.5 line-clamp-2 text-sm break-words">“{order.note}”</p> : null}
      </div>
      <p className="text-sm font-semibold tabular-nums sm:w-28 sm:text-right">
        {formatMoney(order.total_amount, order.currency)}
      </p>
      <div className="ml-auto sm:w-40 sm:text-right">
        {manages && next ? (
          <Button
            variant="secondary"
            size="sm"
            className="relative"
            aria-label={`Mark as ${STATUS[next].label.toLowerCase()}: order ${order.order_number}`}
            onClick={() => onMove(order)}
          >
            Mark as {STATUS[next].label.toLowerCase()}
          </Button>
        ) : null}
      </div>
    </li>
  );
}
