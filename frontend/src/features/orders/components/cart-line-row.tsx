"use client";

import { Minus, Plus, Trash2 } from "lucide-react";

import { Button } from "@/components/ui/button";
import { ProductArt } from "@/components/ui/product-art";
import { type CartLine, useCart } from "@/lib/cart";
import { formatMoney, sumMoney } from "@/lib/format";

export function CartLineRow({ line }: { line: CartLine }) {
  const setQuantity = useCart((cart) => cart.setQuantity);
  const remove = useCart((cart) => cart.remove);
  return (
    <li className="flex gap-3 py-4">
      <ProductArt seed={line.sku} category={line.category} className="size-14 shrink-0 rounded-md" />
      <div className="min-w-0 flex-1">
        <div className="flex justify-between gap-3">
          <p className="text-sm leading-snug font-medium">{line.name}</p>
          <p className="text-sm font-medium tabular-nums">{formatMoney(sumMoney([line]), line.currency)}</p>
        </div>
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
          <input
            type="number"
            min={1}
            aria-label={`Quantity of ${line.name}`}
            className="h-7 w-12 [appearance:textfield] rounded-md border border-input bg-card text-center text-sm tabular-nums [&::-webkit-inner-spin-button]:appearance-none"
            value={line.quantity}
            onChange={(event) => setQuantity(line.productId, event.target.valueAsNumber)}
          />
          <Button
            variant="secondary"
            size="icon"
            className="size-7"
            aria-label={`One ${line.name} more`}
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
