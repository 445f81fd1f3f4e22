import { waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { useCart } from "@/lib/cart";

import { line, openCart, press, sell } from "../support/cart";
import { order, product } from "../support/fixtures";
import { http, HttpResponse, problem, server, url } from "../support/server";

vi.mock("next/navigation", () => ({ useRouter: () => ({ push: vi.fn() }) }));

beforeEach(() => {
  useCart.setState(useCart.getInitialState());
  sell();
});

describe("what a remembered cart costs", () => {
  it("is what the shop asks now, and is agreed to before it is ordered", async () => {
    const ordered: (string | null)[] = [];
    server.use(
      http.post(url("/orders"), ({ request }) => {
        ordered.push(request.headers.get("idempotency-key"));
        return HttpResponse.json(order(), { status: 201 });
      }),
    );
    sell({ price: "24.90" });
    useCart.getState().add(line);
    const key = useCart.getState().takeOrderKey();
    const drawer = await openCart();
    expect(await within(drawer).findByText("Now €24.90 each, was €19.90")).toBeInTheDocument();
    expect(within(drawer).getByTestId("cart-total")).toHaveTextContent("€24.90");
    expect(within(drawer).queryByRole("button", { name: "Place order" })).not.toBeInTheDocument();
    await press(drawer, "Accept the new prices");
    expect(ordered).toEqual([]);
    expect(within(drawer).queryByText(/each, was/)).not.toBeInTheDocument();
    await press(drawer, "Place order");
    await waitFor(() => expect(ordered).toEqual([key])); // The same order, whose answer may have been lost.
  });

  it("is agreed to again when it changes while the cart is open, under the same key", async () => {
    const sent: { body: unknown; key: string | null }[] = [];
    server.use(
      http.post(url("/orders"), async ({ request }) => {
        sent.push({ body: await request.json(), key: request.headers.get("idempotency-key") });
        if (sent.length > 1) return HttpResponse.json(order(), { status: 201 });
        return problem(409, "price_changed", {
          lines: [{ product_id: "p-1", name: "Desk lamp", price: "24.90", currency: "EUR" }],
        });
      }),
    );
    useCart.getState().add(line);
    const drawer = await openCart();
    await press(drawer, "Place order");
    expect(await within(drawer).findByText("Now €24.90 each, was €19.90")).toBeInTheDocument();
    expect(within(drawer).getByRole("alert")).toHaveTextContent(
      "Prices have changed just now. Nothing is ordered yet.",
    );
    expect(within(drawer).getByTestId("cart-total")).toHaveTextContent("€24.90");
    await press(drawer, "Accept the new prices");
    expect(within(drawer).queryByRole("alert")).not.toBeInTheDocument();
    expect(sent).toHaveLength(1);
    await press(drawer, "Place order");
    await waitFor(() => expect(useCart.getState().lines).toEqual([]));
    expect(sent.map(({ body }) => body)).toEqual(
      ["19.90", "24.90"].map((price) => ({
        lines: [{ product_id: "p-1", quantity: 1, expected_price: price, expected_currency: "EUR" }],
      })),
    );
    expect(sent[0]?.key).toBe(sent[1]?.key);
  });

  it("needs no agreement once it costs what it did", () => {
    const cart = () => useCart.getState();
    cart().add(line);
    cart().reprice("p-1", { price: "24.90", currency: "EUR" });
    cart().reprice("p-1", { price: "29.90", currency: "EUR" });
    expect(cart().lines[0]).toMatchObject({ price: "29.90", agreed: "€19.90" });
    cart().reprice("p-1", { price: "19.90", currency: "EUR" });
    expect(cart().lines[0]).not.toHaveProperty("agreed");
  });

  it("is told although it could not be checked", async () => {
    server.use(http.get(url("/products/:id"), () => problem(503, "unavailable")));
    useCart.getState().add(line);
    const drawer = await openCart();
    expect(await within(drawer).findByRole("alert")).toHaveTextContent("The prices could not be checked.");
    sell();
    await userEvent.click(within(drawer).getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(within(drawer).queryByRole("alert")).not.toBeInTheDocument());
  });

  it("is no sum of two currencies, and such an order is not offered", async () => {
    server.use(
      http.get(url("/products/p-2"), () => HttpResponse.json(product({ id: "p-2", currency: "USD" }))),
    );
    useCart.getState().add(line);
    useCart.getState().add({ ...line, productId: "p-2", name: "Chair", currency: "USD" });
    const drawer = await openCart();
    expect(within(drawer).getByTestId("cart-total")).toHaveTextContent("€19.90 + US$19.90");
    expect(within(drawer).getByRole("button", { name: "Place order" })).toBeDisabled();
    await userEvent.click(within(drawer).getByRole("button", { name: "Remove Chair" }));
    await waitFor(() => expect(within(drawer).getByRole("button", { name: "Place order" })).toBeEnabled());
  });
});

describe("an order that is refused", () => {
  it("names what is short, and offers what is left of it", async () => {
    server.use(
      http.post(url("/orders"), () =>
        problem(409, "out_of_stock", { lines: [{ product_id: "p-1", name: "Desk lamp", available: 2 }] }),
      ),
    );
    useCart.getState().add(line);
    useCart.getState().setQuantity("p-1", 5);
    const drawer = await openCart();
    await press(drawer, "Place order");
    expect(await within(drawer).findByRole("alert")).toHaveTextContent("Desk lamp: only 2 left");
    await userEvent.click(within(drawer).getByRole("button", { name: "Set Desk lamp to 2" }));
    expect(useCart.getState().lines).toMatchObject([{ quantity: 2 }]);
    expect(within(drawer).queryByRole("alert")).not.toBeInTheDocument();
  });

  it("names what is sold no longer, and takes it out", async () => {
    server.use(
      http.post(url("/orders"), () => problem(409, "product_unavailable", { product_ids: ["p-1"] })),
    );
    useCart.getState().add(line);
    useCart.getState().add({ ...line, productId: "p-2", name: "Chair" });
    const drawer = await openCart();
    await press(drawer, "Place order");
    expect(await within(drawer).findByRole("alert")).toHaveTextContent("Desk lamp: sold no longer");
    await userEvent.click(within(drawer).getByRole("button", { name: "Take Desk lamp out" }));
    expect(useCart.getState().lines.map(({ name }) => name)).toEqual(["Chair"]);
    expect(within(drawer).queryByRole("alert")).not.toBeInTheDocument();
  });

  it("says beforehand what the shop has not got any more", async () => {
    server.use(http.get(url("/products/:id"), () => problem(404, "not_found")));
    useCart.getState().add(line);
    const drawer = await openCart();
    expect(await within(drawer).findByText("Sold no longer")).toBeInTheDocument();
  });
});
