"use client";

import { ChevronLeft } from "lucide-react";
import Link from "next/link";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { LiveDot } from "@/components/ui/live-dot";
import { PageHeader } from "@/components/ui/page-header";
import { QueryState } from "@/components/ui/query-state";
import { Loading, Skeleton } from "@/components/ui/skeleton";
import { Table, Td, Th, Tr } from "@/components/ui/table";
import { toast } from "@/components/ui/toast";
import type { Order } from "@/lib/api/types";
import { useCurrentUser } from "@/lib/current-user";
import { formatDateTime, formatMoney } from "@/lib/format";
import { useTitle } from "@/lib/hooks/use-title";
import { useConnectionState } from "@/lib/realtime/hooks";

import { useCancelOrder, useOrder } from "../api/orders";
import { useLiveOrders } from "../hooks/use-live-orders";
import { isFinal } from "../status";
import { MoveDialog } from "./move-dialog";
import { StatusBadge } from "./status-badge";
import { StatusTimeline } from "./status-timeline";

export function OrderDetail({ orderId }: { orderId: string }) {
  useLiveOrders();
  const order = useOrder(orderId, useCurrentUser().id);
  return (
    <QueryState
      query={order}
      loading={
        <Loading label="Loading the order">
          <Skeleton className="mb-6 h-10 w-64" />
          <div className="grid gap-6 lg:grid-cols-[1fr_20rem]">
            <Skeleton className="h-72" />
            <Skeleton className="h-96" />
          </div>
        </Loading>
      }
    >
      {(found) => <Loaded order={found} />}
    </QueryState>
  );
}

function Loaded({ order }: { order: Order }) {
  useTitle(`Order ${order.order_number}`);
  const live = !isFinal(order.status);
  const connected = useConnectionState() === "connected";
  const foreign = order.user_id !== useCurrentUser().id; // Then it is asked for, not pushed.
  return (
    <>
      <Link
        href={foreign ? "/desk" : "/orders"}
        className="mb-3 inline-flex items-center gap-1 rounded-sm text-sm text-muted-foreground hover:text-foreground"
      >
        <ChevronLeft aria-hidden className="size-4" /> {foreign ? "Order desk" : "Orders"}
      </Link>
      <PageHeader
        title={`Order ${order.order_number}`}
        actions={
          // Who moves orders cancels them there, too.
          order._links.status ? (
            <MoveButton order={order} />
          ) : order._links.cancel ? (
            <CancelButton order={order} />
          ) : null
        }
      >
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <StatusBadge status={order.status} /> Placed {formatDateTime(order.created_at)}
          {order.username ? <> by {order.username}</> : null}
        </span>
      </PageHeader>
      <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <Card>
          <CardHeader>
            <CardTitle>Items</CardTitle>
          </CardHeader>
          <Table label="Items">
            <thead>
              <tr>
                <Th>Product</Th>
                <Th className="text-right">Quantity</Th>
                <Th className="text-right max-sm:hidden">Price</Th>
                <Th className="text-right">Amount</Th>
              </tr>
            </thead>
            <tbody>
              {order.items.map((item) => (
                <Tr key={item.id}>
                  <Td>
                    <span className="block font-medium wrap-anywhere">{item.product_name}</span>
                    <span className="font-mono text-xs text-muted-foreground">{item.sku}</span>
                  </Td>
                  <Td className="text-right tabular-nums">{item.quantity}</Td>
                  <Td className="text-right tabular-nums max-sm:hidden">
                    {formatMoney(item.unit_price, order.currency)}
                  </Td>
                  <Td className="text-right font-medium tabular-nums">
                    {formatMoney(item.line_total, order.currency)}
                  </Td>
                </Tr>
              ))}
            </tbody>
            <tfoot>
              <tr className="border-t">
                <Td className="max-sm:hidden" />
                <Td colSpan={2} className="text-right text-muted-foreground">
                  Total
                </Td>
                <Td className="text-right text-base font-semibold tabular-nums">
                  {formatMoney(order.total_amount, order.currency)}
                </Td>
              </tr>
            </tfoot>
          </Table>
          {order.note ? (
            <CardBody className="border-t pt-4">
              <p className="text-xs font-medium text-muted-foreground">Note</p>
              <p className="mt-1 text-sm break-words whitespace-pre-line">{order.note}</p>
            </CardBody>
          ) : null}
        </Card>
        <Card className="max-lg:order-first">
          <CardHeader>
            <CardTitle>Status</CardTitle>
            {live ? (
              <span className="flex items-center gap-2 text-xs text-muted-foreground">
                <LiveDot active={connected || foreign} /> Updates by itself
              </span>
            ) : null}
          </CardHeader>
          <CardBody>
            <StatusTimeline order={order} />
          </CardBody>
        </Card>
      </div>
    </>
  );
}

function MoveButton({ order }: { order: Order }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>Move on</Button>
      <MoveDialog order={open ? order : null} onClose={() => setOpen(false)} />
    </>
  );
}

function CancelButton({ order }: { order: Order }) {
  const cancel = useCancelOrder(order.id);
  return (
    <ConfirmDialog
      trigger={<Button variant="secondary">Cancel order</Button>}
      title={`Cancel order ${order.order_number}?`}
      description="Its items go back on the shelf. This cannot be undone."
      action="Cancel the order"
      onConfirm={() =>
        cancel.mutateAsync(undefined, {
          onError: (error) => toast.error("The order was not cancelled", error),
          onSuccess: () => toast.success(`Order ${order.order_number} is cancelled`),
        })
      }
    />
  );
}
