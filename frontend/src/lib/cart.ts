"use client";

import { useSyncExternalStore } from "react";
import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";

import { browserStorage } from "@/lib/storage";

/** What the API takes in one order. */
export const MAX_LINES = 100;
export const MAX_QUANTITY = 10_000;

export interface CartLine {
  productId: string;
  name: string;
  sku: string;
  category: string;
  /** As shown when it was put in; the price that counts is the shop's when the order is placed. */
  price: string;
  currency: string;
  quantity: number;
}

interface CartState {
  lines: CartLine[];
  add: (line: Omit<CartLine, "quantity">) => void;
  setQuantity: (productId: string, quantity: number) => void;
  remove: (productId: string) => void;
  clear: () => void;
}

export const useCart = create<CartState>()(
  persist(
    (set) => ({
      lines: [],
      add: (line) =>
        set(({ lines }) => {
          const present = lines.find((item) => item.productId === line.productId);
          if (present) {
            return {
              lines: lines.map((item) =>
                item === present ? { ...line, quantity: clamp(item.quantity + 1) } : item,
              ),
            };
          }
          return lines.length >= MAX_LINES ? { lines } : { lines: [...lines, { ...line, quantity: 1 }] };
        }),
      setQuantity: (productId, quantity) =>
        set(({ lines }) => ({
          lines: lines.map((item) =>
            item.productId === productId ? { ...item, quantity: clamp(quantity) } : item,
          ),
        })),
      remove: (productId) =>
        set(({ lines }) => ({ lines: lines.filter((item) => item.productId !== productId) })),
      clear: () => set({ lines: [] }),
    }),
    { name: "mobula-cart", version: 1, storage: createJSONStorage(() => browserStorage) },
  ),
);

function clamp(quantity: number): number {
  return Math.min(MAX_QUANTITY, Math.max(1, Math.round(quantity) || 1));
}

/** The remembered cart exists in the browser only; the server renders an empty one. */
export function useCartLines(): readonly CartLine[] {
  return useSyncExternalStore(
    useCart.subscribe,
    () => useCart.getState().lines,
    () => EMPTY,
  );
}

const EMPTY: readonly CartLine[] = [];
