/** The one door to localStorage: preferences and the cart. Tokens never pass it (they live in HttpOnly cookies). */
import type { StateStorage } from "zustand/middleware";

/** A browser may forbid storage (private windows, policies): then things are simply not remembered. */
function attempt<T>(action: () => T, otherwise: T): T {
  try {
    return action();
  } catch {
    return otherwise;
  }
}

/** What is no secret, and is missed by whoever comes back: how the page looks, and a cart that is its owner's only. */
const KEPT = new Set(["theme", "mobula-cart"]);

/** Leaves nothing of whoever signs out behind, but for what is kept on purpose. */
export function forgetStored(): void {
  attempt(() => {
    for (const name of Object.keys(localStorage)) if (!KEPT.has(name)) localStorage.removeItem(name);
    sessionStorage.clear();
  }, undefined);
}

export const browserStorage: StateStorage = {
  getItem: (name) => attempt(() => localStorage.getItem(name), null),
  setItem: (name, value) => attempt(() => localStorage.setItem(name, value), undefined),
  removeItem: (name) => attempt(() => localStorage.removeItem(name), undefined),
};
