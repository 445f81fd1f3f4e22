"use client";

import Link from "next/link";

import { buttonVariants } from "@/components/ui/button";
import { Dialog, DialogContent } from "@/components/ui/dialog";
import type { Product } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { formatMoney, humanise } from "@/lib/format";

import { useLiveStock } from "../hooks/use-live-stock";
import { AddToCart, Stock } from "./product-card";
import { ProductPicture } from "./product-picture";

interface ProductDialogProps {
  product: Product | null;
  onClose: () => void;
}

export function ProductDialog({ product: opened, onClose }: ProductDialogProps) {
  const [product] = useLiveStock(opened ? [opened] : []);
  return (
    <Dialog open={product !== undefined} onOpenChange={(open) => !open && onClose()}>
      {product ? (
        <DialogContent title={product.name} description={`${product.category.name} · ${product.sku}`}>
          <ProductPicture product={product} className="aspect-[16/7] rounded-lg" />
          {product.description ? (
            <p className="mt-4 text-sm leading-relaxed break-words whitespace-pre-line">
              {product.description}
            </p>
          ) : null}
          <Attributes attributes={product.attributes} />
          <div className="mt-6 flex items-center justify-between gap-4">
            <div>
              <p className="text-xl font-semibold tabular-nums">
                {formatMoney(product.price, product.currency)}
              </p>
              <Stock product={product} />
            </div>
            <AddToCart product={product} label="Add to cart" />
          </div>
          <Link
            href={`/catalogue/${product.id}`}
            className={cn(buttonVariants({ variant: "link", size: "inline" }), "mt-4")}
          >
            Open its page
          </Link>
        </DialogContent>
      ) : null}
    </Dialog>
  );
}

/** What else is known of a product: plain values only. */
export function Attributes({ attributes }: { attributes: Product["attributes"] }) {
  const shown = Object.entries(attributes).filter(([, value]) =>
    ["string", "number", "boolean"].includes(typeof value),
  );
  if (shown.length === 0) return null;
  return (
    <dl className="mt-4 grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1.5 text-sm">
      {shown.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted-foreground">{humanise(name)}</dt>
          <dd className="break-words">
            {typeof value === "boolean" ? (value ? "Yes" : "No") : String(value)}
          </dd>
        </div>
      ))}
    </dl>
  );
}
