"use client";

import { useSyncExternalStore } from "react";
import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";

import { formatMoney } from "@/lib/format";
import { newId } from "@/lib/new-id";
import { browserStorage } from "@/lib/storage";

/** What the API takes in one order. */
export const MAX_LINES = 100;
export const MAX_QUANTITY = 10_000;

export interface CartLine {
  productId: string;
  name: string;
  sku: string;
  category: string;
  /** As last heard; the price that counts is the shop's when the order is placed. */
  price: string;
  currency: string;
  /** What it was when somebody last agreed to it, once it is another. */
  agreed?: string;
  quantity: number;
}

type Ordered = Pick<CartLine, "productId" | "quantity">;

interface CartState {
  /** Whose it is: somebody else who signs in on this device finds an empty one. */
  owner: string | null;
  lines: CartLine[];
  note: string;
  /**
   * The idempotency key of this very content, once somebody has tried to order it. It is kept beside the content,
   * so that trying again, from another tab or after a reload too, is answered with the first order.
   */
  orderKey: string | null;
  claim: (owner: string) => void;
  /** Returns whether it was put in: a cart takes no more lines than an order. */
  add: (line: Omit<CartLine, "quantity">) => boolean;
  setQuantity: (productId: string, quantity: number) => void;
  remove: (productId: string) => void;
  /** Takes over what a product costs now. What was agreed to stays beside it until `agree`. */
  reprice: (productId: string, offer: Pick<CartLine, "price" | "currency">) => void;
  /** Somebody has seen what everything costs now. */
  agree: () => void;
  setNote: (note: string) => void;
  /** The key under which to order what is in it now. */
  takeOrderKey: () => string;
  /** Takes out what was ordered; what was put in since stays. */
  settle: (ordered: readonly Ordered[]) => void;
}

const EMPTY = { lines: [] as CartLine[], note: "", orderKey: null };

const STORED_AS = "mobula-cart";

export const useCart = create<CartState>()(
  persist(
    (set, get) => {
      /** Another content is another order. */
      const change = (part: Partial<Pick<CartState, "lines" | "note">>) => set({ ...part, orderKey: null });
      return {
        owner: null,
        ...EMPTY,
        claim: (owner) => {
          if (get().owner !== owner) set({ ...EMPTY, owner });
        },
        add: (line) => {
          const { lines } = get();
          const present = lines.find((item) => item.productId === line.productId);
          if (!present && lines.length >= MAX_LINES) return false;
          change({
            lines: present
              ? lines.map((item) =>
                  item === present ? { ...line, quantity: clamp(item.quantity + 1) } : item,
                )
              : [...lines, { ...line, quantity: 1 }],
          });
          return true;
        },
        setQuantity: (productId, quantity) =>
          change({
            lines: get().lines.map((item) =>
              item.productId === productId ? { ...item, quantity: clamp(quantity) } : item,
            ),
          }),
        remove: (productId) => change({ lines: get().lines.filter((item) => item.productId !== productId) }),
        // The order is the same at another price: it keeps its key, for an answer that was lost.
        reprice: (productId, { price, currency }) =>
          set({
            lines: get().lines.map((item) => {
              if (item.productId !== productId) return item;
              if (item.price === price && item.currency === currency) return item;
              const { agreed = formatMoney(item.price, item.currency), ...line } = item;
              const back = agreed === formatMoney(price, currency);
              return { ...line, price, currency, ...(back ? {} : { agreed }) };
            }),
          }),
        agree: () => set({ lines: get().lines.map((item) => ({ ...item, agreed: undefined })) }),
        setNote: (note) => change({ note }),
        takeOrderKey: () => {
          const key = get().orderKey ?? newId();
          set({ orderKey: key });
          return key;
        },
        settle: (ordered) => {
          const quantities = new Map(ordered.map(({ productId, quantity }) => [productId, quantity]));
          const lines = get()
            .lines.map((item) => ({
              ...item,
              quantity: item.quantity - (quantities.get(item.productId) ?? 0),
            }))
            .filter(({ quantity }) => quantity > 0);
          change({ lines, note: "" });
        },
      };
    },
    {
      name: STORED_AS,
      version: 2,
      storage: createJSONStorage(() => browserStorage),
      // Before this, nobody knew whose cart it was.
      migrate: () => ({ owner: null, ...EMPTY }),
    },
  ),
);

// Tabs share one cart: what another one changes is here at once, and is not overwritten by what was here before.
if (typeof window !== "undefined") {
  window.addEventListener("storage", ({ key }) => {
    if (key === STORED_AS) void useCart.persist.rehydrate();
  });
}

function clamp(quantity: number): number {
  return Math.min(MAX_QUANTITY, Math.max(1, Math.round(quantity) || 1));
}

/** The remembered cart exists in the browser only; the server renders an empty one. */
export function useCartLines(): readonly CartLine[] {
  return useSyncExternalStore(
    useCart.subscribe,
    () => useCart.getState().lines,
    () => EMPTY.lines,
  );
}
