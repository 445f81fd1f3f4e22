"use client";

import { Minus, Plus, Trash2 } from "lucide-react";
import { type KeyboardEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { ProductArt } from "@/components/ui/product-art";
import { type CartLine, MAX_QUANTITY, useCart } from "@/lib/cart";
import { formatMoney, sumMoney } from "@/lib/format";

import { type Shortage, shortageOf, shortageText, useOffer } from "../api/offers";

export function CartLineRow({ line }: { line: CartLine }) {
  const setQuantity = useCart((cart) => cart.setQuantity);
  const remove = useCart((cart) => cart.remove);
  const offer = useOffer(line.productId);
  const shortage = shortageOf(line, offer);
  const most = Math.min(MAX_QUANTITY, Math.max(1, offer?.stock ?? MAX_QUANTITY));
  return (
    <li className="flex gap-3 py-4">
      <ProductArt seed={line.sku} category={line.category} className="size-14 shrink-0 rounded-md" />
      <div className="min-w-0 flex-1">
        <div className="flex justify-between gap-3">
          <p className="min-w-0 text-sm leading-snug font-medium break-words">{line.name}</p>
          <p className="text-sm font-medium tabular-nums">{formatMoney(sumMoney([line]), line.currency)}</p>
        </div>
        {line.agreed ? (
          <p className="mt-0.5 text-xs text-warning">
            Now {formatMoney(line.price, line.currency)} each, was {line.agreed}
          </p>
        ) : null}
        {shortage ? <ShortageLine line={line} shortage={shortage} /> : null}
        <div className="mt-2 flex items-center gap-1">
          <Button
            variant="secondary"
            size="icon"
            className="size-7"
            aria-label={`One ${line.name} less`}
            disabled={line.quantity <= 1}
            onClick={() => setQuantity(line.productId, line.quantity - 1)}
          >
            <Minus aria-hidden className="size-3.5" />
          </Button>
          <QuantityField line={line} most={most} />
          <Button
            variant="secondary"
            size="icon"
            className="size-7"
            aria-label={`One ${line.name} more`}
            disabled={line.quantity >= most}
            onClick={() => setQuantity(line.productId, line.quantity + 1)}
          >
            <Plus aria-hidden className="size-3.5" />
          </Button>
          <span className="flex-1" />
          <Button
            variant="ghost"
            size="icon"
            className="size-7"
            aria-label={`Remove ${line.name}`}
            onClick={() => remove(line.productId)}
          >
            <Trash2 aria-hidden className="size-3.5" />
          </Button>
        </div>
      </div>
    </li>
  );
}

/** Why this line cannot be ordered so, and the way out. */
function ShortageLine({ line, shortage }: { line: CartLine; shortage: Shortage }) {
  const setQuantity = useCart((cart) => cart.setQuantity);
  const remove = useCart((cart) => cart.remove);
  const { available } = shortage;
  return (
    <p className="mt-1 flex flex-wrap items-center gap-x-2 text-xs text-danger">
      {shortageText(shortage)}
      {available ? (
        <Button
          variant="ghost"
          size="sm"
          className="h-7 px-2"
          aria-label={`Set ${line.name} to ${available}`}
          onClick={() => setQuantity(line.productId, available)}
        >
          Set to {available}
        </Button>
      ) : (
        <Button
          variant="ghost"
          size="sm"
          className="h-7 px-2"
          aria-label={`Take ${line.name} out`}
          onClick={() => remove(line.productId)}
        >
          Remove
        </Button>
      )}
    </p>
  );
}

/** What is typed counts once it is finished: on the way to 25, one neither has 2 nor, with the field empty, 1. */
function QuantityField({ line, most }: { line: CartLine; most: number }) {
  const setQuantity = useCart((cart) => cart.setQuantity);
  const [typed, setTyped] = useState<string | null>(null);

  function commit() {
    const quantity = Number.parseInt(typed ?? "", 10);
    if (!Number.isNaN(quantity)) setQuantity(line.productId, Math.min(quantity, most));
    setTyped(null);
  }

  return (
    <input
      type="number"
      min={1}
      max={most}
      aria-label={`Quantity of ${line.name}`}
      className="h-7 w-14 [appearance:textfield] rounded-md border border-input bg-card text-center text-base tabular-nums sm:text-sm [&::-webkit-inner-spin-button]:appearance-none"
      value={typed ?? line.quantity}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={commit}
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key === "Enter") commit();
      }}
    />
  );
}
