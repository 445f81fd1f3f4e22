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
import { RetryLine } from "@/components/ui/query-state";
import { toast } from "@/components/ui/toast";
import { type CartLine, useCart, useCartLines } from "@/lib/cart";
import { formatMoney, sumMoney } from "@/lib/format";

import { isPriceChange, isShortage, type Shortage, shortageText, useOffers } from "../api/offers";
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
  const { setNote, takeOrderKey, agree } = useCart.getState();
  const router = useRouter();
  const placeOrder = usePlaceOrder((order) => {
    onClose();
    toast.success(`Order ${order.order_number} is placed`, "Watch it move: its status changes by itself.");
    router.push(`/orders/${order.id}`);
  });
  const offers = useOffers(lines);
  const repriced = lines.some(({ agreed }) => agreed !== undefined);
  const totals = totalsOf(lines);

  function submit() {
    if (placeOrder.isPending || offers.checking || totals.length > 1) return;
    if (repriced) {
      agree();
      placeOrder.reset();
      return;
    }
    placeOrder.mutate({
      lines: lines.map(({ productId, quantity, price, currency }) => ({
        product_id: productId,
        quantity,
        expected_price: price,
        expected_currency: currency,
      })),
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
      {repriced && isPriceChange(placeOrder.error) ? null : (
        <Refusal error={placeOrder.error} shortages={offers.shortages} />
      )}
      {offers.error ? (
        <RetryLine
          title="The prices could not be checked."
          error={offers.error}
          pending={offers.checking}
          onRetry={offers.refetch}
          className="m-0"
        />
      ) : null}
      <Field label="Note (optional)">
        <Input value={note} maxLength={1000} onChange={(event) => setNote(event.target.value)} />
      </Field>
      <div className="flex items-baseline justify-between gap-4">
        <span className="text-sm text-muted-foreground">Total</span>
        <span className="text-right text-xl font-semibold tabular-nums" data-testid="cart-total">
          {totals.join(" + ")}
        </span>
      </div>
      {totals.length > 1 ? (
        <p role="alert" className="text-sm text-warning">
          One order has one currency. Remove what has another, and order it afterwards.
        </p>
      ) : repriced ? (
        <p role="alert" className="text-sm text-warning">
          {isPriceChange(placeOrder.error)
            ? "Prices have changed just now. Nothing is ordered yet."
            : "Prices have changed since you put these in."}
        </p>
      ) : null}
      <Button
        type="submit"
        size="lg"
        className="w-full"
        pending={placeOrder.isPending || offers.checking}
        disabled={totals.length > 1}
      >
        {repriced ? "Accept the new prices" : "Place order"}
      </Button>
    </form>
  );
}

/** What it all costs, once per currency. */
function totalsOf(lines: readonly CartLine[]): string[] {
  const currencies = [...new Set(lines.map(({ currency }) => currency))];
  return currencies.map((currency) =>
    formatMoney(sumMoney(lines.filter((line) => line.currency === currency)), currency),
  );
}

/** Why the order was refused. What was short is named, for as long as it is; its line offers the way out. */
function Refusal({ error, shortages }: { error: unknown; shortages: readonly Shortage[] }) {
  if (!isShortage(error)) return <FormError error={error} />;
  if (shortages.length === 0) return null;
  return (
    <FormError error={error}>
      <ul>
        {shortages.map((shortage) => (
          <li key={shortage.name}>
            {shortage.name}: {shortageText(shortage).toLowerCase()}
          </li>
        ))}
      </ul>
    </FormError>
  );
}
