"use client";

import { Check, ShoppingCart } from "lucide-react";
import { useEffect, useState } from "react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import type { Product } from "@/lib/api/types";
import { MAX_LINES, useCart } from "@/lib/cart";
import { formatInteger, formatMoney } from "@/lib/format";

import { ProductPicture } from "./product-picture";

/** Of a product with less than this, little is left: here, in the filter, and on the dashboard (`db/products`). */
const LOW_STOCK = 10;
const CONFIRMED_MS = 1_500;

export function ProductCard({ product, onOpen }: { product: Product; onOpen: (product: Product) => void }) {
  return (
    <article className="group relative flex flex-col overflow-hidden rounded-lg border bg-card shadow-card transition-shadow hover:shadow-float">
      <ProductPicture product={product} className="aspect-[16/10]" />
      <div className="flex flex-1 flex-col p-4">
        <p className="text-xs text-muted-foreground">{product.category.name}</p>
        <h2 className="mt-0.5 text-sm leading-snug font-semibold">
          {/* The whole card is the target; the button below lies above it. */}
          <button
            type="button"
            onClick={() => onOpen(product)}
            className="text-left after:absolute after:inset-0"
          >
            {product.name}
          </button>
        </h2>
        <div className="mt-auto flex flex-wrap items-end justify-between gap-x-2 gap-y-3 pt-4">
          <div>
            <p className="text-base font-semibold tabular-nums">
              {formatMoney(product.price, product.currency)}
            </p>
            <Stock product={product} />
          </div>
          <AddToCart product={product} />
        </div>
      </div>
    </article>
  );
}

export function Stock({ product }: { product: Product }) {
  if (product.stock <= 0) return <Badge tone="danger">Sold out</Badge>;
  if (product.stock < LOW_STOCK) return <Badge tone="warning">Only {product.stock} left</Badge>;
  return <p className="text-xs text-muted-foreground">{formatInteger(product.stock)} in stock</p>;
}

/** `label`: for where one product is alone on the page. Among others its name is part of the button's. */
export function AddToCart({ product, label }: { product: Product; label?: string }) {
  const add = useCart((cart) => cart.add);
  const [justAdded, setJustAdded] = useState(0);

  useEffect(() => {
    if (justAdded === 0) return;
    const timer = setTimeout(() => setJustAdded(0), CONFIRMED_MS);
    return () => clearTimeout(timer);
  }, [justAdded]);

  return (
    <Button
      variant={justAdded ? "soft" : "secondary"}
      size="sm"
      className="relative max-sm:w-full"
      disabled={product.stock <= 0}
      aria-label={label ? undefined : `${justAdded ? "Added" : "Add"} ${product.name} to cart`}
      onClick={() => {
        const added = add({
          productId: product.id,
          name: product.name,
          sku: product.sku,
          category: product.category.slug,
          price: product.price,
          currency: product.currency,
        });
        if (added) setJustAdded((count) => count + 1);
        else toast.info("Your cart is full", `An order takes ${MAX_LINES} different products.`);
      }}
    >
      {justAdded ? <Check aria-hidden /> : <ShoppingCart aria-hidden />}
      {justAdded ? "Added" : (label ?? "Add")}
    </Button>
  );
}
