"use client";

import { useState } from "react";

import { ProductArt } from "@/components/ui/product-art";
import type { Product } from "@/lib/api/types";
import { cn } from "@/lib/cn";

type Pictured = Pick<Product, "sku" | "category" | "image_url">;

/** The product's picture; its sign where there is none, or none that can be loaded. It says nothing beside the name. */
export function ProductPicture({ product, className }: { product: Pictured; className?: string }) {
  const [broken, setBroken] = useState<string | null>(null);
  if (!product.image_url || product.image_url === broken) {
    return <ProductArt seed={product.sku} category={product.category.slug} className={className} />;
  }
  return (
    // Of any host, as large as it is: there is nothing that Next's image server could do for it.
    // eslint-disable-next-line @next/next/no-img-element
    <img
      src={product.image_url}
      alt=""
      loading="lazy"
      referrerPolicy="no-referrer"
      onError={() => setBroken(product.image_url)}
      className={cn("w-full bg-muted object-cover", className)}
    />
  );
}
