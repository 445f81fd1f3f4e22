"use client";

import { TriangleAlert } from "lucide-react";
import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { Dialog, DialogClose, DialogContent, DialogFooter } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { toast } from "@/components/ui/toast";
import type { OrderStatus, OrderSummary } from "@/lib/api/types";

import { useMoveOrder } from "../api/desk";
import { reachable, STATUS } from "../status";

const MAX_REASON = 1000;

/** As much of an order as is needed to move it. */
type Movable = Pick<OrderSummary, "id" | "order_number" | "status">;

interface MoveDialogProps {
  order: Movable | null;
  onClose: () => void;
}

/** An order is moved to its next status, or cancelled, and its owner told why. */
export function MoveDialog({ order, onClose }: MoveDialogProps) {
  return (
    <Dialog open={order !== null} onOpenChange={(open) => !open && onClose()} disablePointerDismissal>
      {order ? (
        <DialogContent
          title={`Order ${order.order_number}`}
          description={`${STATUS[order.status].label} now. Whoever ordered sees the change at once.`}
        >
          <MoveForm key={order.id} order={order} onDone={onClose} />
        </DialogContent>
      ) : null}
    </Dialog>
  );
}

function MoveForm({ order, onDone }: { order: Movable; onDone: () => void }) {
  // Somebody else may move the order meanwhile. What was typed stays, and nothing goes on from where nobody here saw it:
  // a click that comes just then says "seen", not "and one step further".
  const [seen, setSeen] = useState(order.status);
  const ways = reachable(seen);
  const [chosen, setChosen] = useState<OrderStatus>();
  const status = chosen && ways.includes(chosen) ? chosen : ways[0];
  const [reason, setReason] = useState("");
  const move = useMoveOrder(order.id);
  const overtaken = order.status !== seen && !move.isPending && !move.isSuccess;
  if (status === undefined) return <p className="text-sm text-muted-foreground">It goes no further.</p>;

  function submit(event: FormEvent) {
    event.preventDefault();
    if (status === undefined) return;
    if (overtaken) {
      setSeen(order.status);
      move.reset();
      return;
    }
    move.mutate(
      { status, reason: reason.trim() },
      {
        onSuccess: (moved) => {
          toast.success(`Order ${moved.order_number}: ${STATUS[moved.status].label.toLowerCase()}`);
          onDone();
        },
      },
    );
  }

  return (
    <form onSubmit={submit} className="space-y-4" aria-label={`Move order ${order.order_number}`}>
      {overtaken ? <Overtaken status={order.status} /> : <FormError error={move.error} />}
      <Field label="New status">
        <Select
          options={ways.map((way) => ({ value: way, label: STATUS[way].label }))}
          value={status}
          onChange={setChosen}
        />
      </Field>
      <Field
        label="Reason"
        hint={`Shown in the order's history${status === "cancelled" ? "" : "; may be left out"}.`}
      >
        <Textarea value={reason} maxLength={MAX_REASON} onChange={(event) => setReason(event.target.value)} />
      </Field>
      <DialogFooter>
        <DialogClose render={<Button variant="secondary">Leave it</Button>} />
        {overtaken ? (
          <Button type="submit">Go on from {STATUS[order.status].label.toLowerCase()}</Button>
        ) : (
          <Button
            type="submit"
            variant={status === "cancelled" ? "danger" : "primary"}
            pending={move.isPending}
          >
            {status === "cancelled" ? "Cancel the order" : `Mark as ${STATUS[status].label.toLowerCase()}`}
          </Button>
        )}
      </DialogFooter>
    </form>
  );
}

function Overtaken({ status }: { status: OrderStatus }) {
  return (
    <p role="alert" className="flex gap-2.5 rounded-md bg-warning-soft px-3 py-2.5 text-sm text-warning">
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
      Somebody else has moved it: {STATUS[status].label.toLowerCase()} by now.
    </p>
  );
}
