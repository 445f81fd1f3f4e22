"use client";

import { ShoppingCart } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";

import { Button, buttonVariants } from "@/components/ui/button";
import { DrawerContent } from "@/components/ui/drawer";
import { Empty } from "@/components/ui/empty";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { useCart, useCartLines } from "@/lib/cart";
import { formatMoney, sumMoney } from "@/lib/format";

import { usePlaceOrder } from "../api/orders";
import { CartLineRow } from "./cart-line-row";

export function CartDrawer({ onClose }: { onClose: () => void }) {
  const lines = useCartLines();
  if (lines.length === 0) {
    return (
      <DrawerContent title="Your cart">
        <Empty
          icon={ShoppingCart}
          title="Your cart is empty"
          action={
            <Link href="/catalogue" onClick={onClose} className={buttonVariants({ variant: "secondary" })}>
              Browse the catalogue
            </Link>
          }
        >
          What you add waits here, on this device.
        </Empty>
      </DrawerContent>
    );
  }
  return (
    <DrawerContent title="Your cart" footer={<Checkout onClose={onClose} />}>
      <ul className="divide-y px-5">
        {lines.map((line) => (
          <CartLineRow key={line.productId} line={line} />
        ))}
      </ul>
    </DrawerContent>
  );
}

function Checkout({ onClose }: { onClose: () => void }) {
  const lines = useCartLines();
  const note = useCart((cart) => cart.note);
  const setNote = useCart((cart) => cart.setNote);
  const takeOrderKey = useCart((cart) => cart.takeOrderKey);
  const router = useRouter();
  const placeOrder = usePlaceOrder((order) => {
    onClose();
    toast.success(`Order ${order.order_number} is placed`, "Watch it move: its status changes by itself.");
    router.push(`/orders/${order.id}`);
  });
  const currency = lines[0]?.currency ?? "EUR";

  function submit() {
    if (placeOrder.isPending) return;
    placeOrder.mutate({
      lines: lines.map(({ productId, quantity }) => ({ product_id: productId, quantity })),
      note: note.trim() || undefined,
      idempotencyKey: takeOrderKey(),
    });
  }

  return (
    <form
      className="space-y-4"
      aria-label="Checkout"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <FormError error={placeOrder.error} />
      <Field label="Note (optional)">
        <Input value={note} maxLength={1000} onChange={(event) => setNote(event.target.value)} />
      </Field>
      <div className="flex items-baseline justify-between">
        <span className="text-sm text-muted-foreground">Total</span>
        <span className="text-xl font-semibold tabular-nums" data-testid="cart-total">
          {formatMoney(sumMoney(lines), currency)}
        </span>
      </div>
      <Button type="submit" size="lg" className="w-full" pending={placeOrder.isPending}>
        Place order
      </Button>
    </form>
  );
}
