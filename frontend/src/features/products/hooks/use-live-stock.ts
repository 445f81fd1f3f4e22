"use client";

import { useState } from "react";

import type { Product } from "@/lib/api/types";
import { useSharedPoll } from "@/lib/realtime/hooks";

const CHANNEL = "stock:levels";
const SIGNED_BY = "stock.track";

/** What was heard of a product: so much there was of it in this version. */
interface Level {
  stock: number;
  version: number;
}

/**
 * The same products with what is in stock now: what was heard counts until something newer was fetched. One that was
 * taken out of the catalogue has none, and one that may not be followed any longer has what was fetched.
 */
export function useLiveStock(products: readonly Product[]): readonly Product[] {
  const [levels, setLevels] = useState<ReadonlyMap<string, Level>>(new Map());
  const ids = products.map(({ id }) => id).sort();
  useSharedPoll<{ stock: number }>(CHANNEL, SIGNED_BY, ids, (id, data, version) => {
    const fetched = products.find((product) => product.id === id);
    setLevels((known) => {
      const next = new Map(known);
      if (version === undefined) next.delete(id);
      else if (data) next.set(id, { stock: data.stock, version });
      // The version of a removal is made up. Should the product come back, its own is newer than any that we know.
      else next.set(id, { stock: 0, version: Math.max(fetched?.version ?? 0, known.get(id)?.version ?? 0) });
      return next;
    });
  });
  return products.map((product) => {
    const level = levels.get(product.id);
    return level && level.version >= product.version ? { ...product, stock: level.stock } : product;
  });
}
