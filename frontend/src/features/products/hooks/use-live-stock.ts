"use client";

import { useState } from "react";

import type { Product } from "@/lib/api/types";
import { useSharedPoll } from "@/lib/realtime/hooks";

const CHANNEL = "stock:levels";
const SIGNED_BY = "stock.track";

/** The same products with what is in stock now; one that was taken out of the catalogue has none. */
export function useLiveStock(products: readonly Product[]): readonly Product[] {
  const [levels, setLevels] = useState<ReadonlyMap<string, number>>(new Map());
  const ids = products.map(({ id }) => id).sort();
  useSharedPoll<{ stock: number }>(CHANNEL, SIGNED_BY, ids, (id, data) =>
    setLevels((known) => new Map(known).set(id, data?.stock ?? 0)),
  );
  return products.map((product) => ({ ...product, stock: levels.get(product.id) ?? product.stock }));
}
