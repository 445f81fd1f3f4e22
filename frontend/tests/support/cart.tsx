import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect } from "vitest";

import { CartButton } from "@/features/orders/components/cart-button";
import type { Product } from "@/lib/api/types";

import { product } from "./fixtures";
import { renderApp } from "./render";
import { http, HttpResponse, server, url } from "./server";

export const line = {
  productId: "p-1",
  name: "Desk lamp",
  sku: "SKU-1",
  category: "home",
  price: "19.90",
  currency: "EUR",
};

/** What the shop says of everything that is asked for. */
export function sell(part: Partial<Product> = {}) {
  server.use(
    http.get(url("/products/:id"), ({ params }) =>
      HttpResponse.json(product({ id: String(params.id), stock: 50, ...part })),
    ),
  );
}

export async function openCart(name: RegExp = /^Cart/) {
  renderApp(<CartButton />);
  await userEvent.click(screen.getByRole("button", { name }));
  return screen.findByRole("dialog", { name: "Your cart" });
}

/** Presses the button once everything has been checked. */
export async function press(drawer: HTMLElement, name: string) {
  const button = await within(drawer).findByRole("button", { name });
  await waitFor(() => expect(button).not.toHaveAttribute("aria-busy"));
  await userEvent.click(button);
}
