import { queryOptions, type QueryClient, useQueries, useQuery } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { ApiError, unwrap } from "@/lib/api/problem";
import { type CartLine, useCart } from "@/lib/cart";

/** How many there are of what lies in the cart; null when it is sold no longer. */
export interface Offer {
  stock: number;
}

const offerKey = (productId: string) => ["products", "offer", productId] as const;

/** Asked for whenever the cart is opened, which remembers things for months. The cart itself keeps the price. */
const offerQuery = (productId: string) =>
  queryOptions({
    queryKey: offerKey(productId),
    queryFn: async (): Promise<Offer | null> => {
      try {
        const { price, currency, stock } = await unwrap(
          api.GET("/api/v1/products/{product_id}", { params: { path: { product_id: productId } } }),
        );
        useCart.getState().reprice(productId, { price, currency });
        return { stock };
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    staleTime: 0,
  });

export function useOffer(productId: string): Offer | null | undefined {
  return useQuery(offerQuery(productId)).data;
}

/** Whether what the lines cost is still being asked, could not be learnt, and which of them cannot be ordered so. */
export function useOffers(lines: readonly CartLine[]) {
  return useQueries({
    queries: lines.map(({ productId }) => offerQuery(productId)),
    combine: (results) => ({
      checking: results.some(({ isLoading }) => isLoading),
      error: results.find(({ isError, data }) => isError && data === undefined)?.error ?? null,
      shortages: lines.flatMap((line, index) => shortageOf(line, results[index]?.data) ?? []),
      refetch: () => void results.forEach((result) => result.isError && void result.refetch()),
    }),
  });
}

/** A line that the shop cannot deliver: so many are there, or null when it is sold no longer. */
export interface Shortage {
  name: string;
  available: number | null;
}

export function shortageOf(line: CartLine, offer: Offer | null | undefined): Shortage | null {
  if (offer === undefined) return null;
  const available = offer?.stock ?? null;
  return available !== null && available >= line.quantity ? null : { name: line.name, available };
}

/** "Only 3 left", for a person. */
export function shortageText({ available }: Shortage): string {
  if (available === null) return "Sold no longer";
  return available > 0 ? `Only ${available} left` : "Sold out";
}

/** That an order was refused because of some of its lines, and says which. */
export function isShortage(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  const { lines, product_ids } = error.extension;
  if (error.code === "out_of_stock") return listOf(lines).length > 0;
  return error.code === "product_unavailable" && listOf(product_ids).length > 0;
}

/** Takes over what a refusal says of the lines, which is newer than what was asked. */
export function rememberShortage(queryClient: QueryClient, { extension }: ApiError): void {
  const remember = (id: string, offer: Offer | null) =>
    void queryClient.setQueryData<Offer | null>(offerKey(id), () => offer);
  for (const line of listOf(extension.lines)) {
    const { product_id: id, available } = line as { product_id?: unknown; available?: unknown };
    if (typeof id === "string" && typeof available === "number") remember(id, { stock: available });
  }
  for (const id of listOf(extension.product_ids)) if (typeof id === "string") remember(id, null);
}

/** That an order was refused because something costs something else than was shown. */
export function isPriceChange(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === "price_changed";
}

/** Takes over what things cost now, to be agreed to. */
export function rememberPrices({ extension }: ApiError): void {
  for (const line of listOf(extension.lines)) {
    const { product_id: id, price, currency } = line as Record<string, unknown>;
    if (typeof id === "string" && typeof price === "string" && typeof currency === "string")
      useCart.getState().reprice(id, { price, currency });
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
