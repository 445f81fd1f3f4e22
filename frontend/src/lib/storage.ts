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

export const browserStorage: StateStorage = {
  getItem: (name) => attempt(() => localStorage.getItem(name), null),
  setItem: (name, value) => attempt(() => localStorage.setItem(name, value), undefined),
  removeItem: (name) => attempt(() => localStorage.removeItem(name), undefined),
};
