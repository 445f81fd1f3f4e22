import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { CartButton } from "@/features/orders/components/cart-button";
import { ProductCard } from "@/features/products/components/product-card";
import { MAX_LINES, MAX_QUANTITY, useCart } from "@/lib/cart";

import { line, openCart, press, sell } from "../support/cart";
import { order, product } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const push = vi.fn();
vi.mock("next/navigation", () => ({ useRouter: () => ({ push }) }));

beforeEach(() => {
  push.mockReset();
  useCart.setState(useCart.getInitialState());
  sell();
});

const lamp = product();

describe("the cart", () => {
  it("counts the same product up, keeps quantities in bounds, and forgets what is removed", () => {
    const cart = () => useCart.getState();
    cart().add(line);
    cart().add({ ...line, price: "21.00" });
    expect(cart().lines).toMatchObject([{ quantity: 2, price: "21.00" }]);
    cart().setQuantity("p-1", Number.NaN);
    expect(cart().lines[0]?.quantity).toBe(1);
    cart().setQuantity("p-1", 1e9);
    expect(cart().lines[0]?.quantity).toBe(MAX_QUANTITY);
    cart().remove("p-1");
    expect(cart().lines).toEqual([]);
  });

  it("takes no more lines than an order may have", () => {
    for (let index = 0; index < MAX_LINES + 1; index += 1)
      useCart.getState().add({ ...line, productId: `p-${index}` });
    expect(useCart.getState().lines).toHaveLength(MAX_LINES);
  });

  it("is one for all tabs, and none for whoever signs in next", () => {
    const cart = () => useCart.getState();
    cart().claim("u-1");
    cart().add(line);
    // Another tab takes it out and adds something else.
    const stored = JSON.parse(localStorage.getItem("mobula-cart") ?? "{}");
    stored.state.lines = [{ ...line, productId: "p-2", quantity: 3 }];
    localStorage.setItem("mobula-cart", JSON.stringify(stored));
    window.dispatchEvent(new StorageEvent("storage", { key: "mobula-cart" }));
    cart().add(line);
    expect(cart().lines.map(({ productId }) => productId)).toEqual(["p-2", "p-1"]);
    cart().claim("u-1");
    expect(cart().lines).toHaveLength(2);
    cart().claim("u-2");
    expect(cart().lines).toEqual([]);
    expect(localStorage.getItem("mobula-cart")).not.toContain("SKU-1");
  });

  it("keeps what was put in while an order was on its way", () => {
    const cart = () => useCart.getState();
    cart().add(line);
    const key = cart().takeOrderKey();
    expect(cart().takeOrderKey()).toBe(key);
    cart().setNote("Ring twice");
    expect(cart().takeOrderKey()).not.toBe(key);
    cart().add(line);
    cart().add({ ...line, productId: "p-2" });
    cart().settle([{ productId: "p-1", quantity: 1 }]);
    expect(cart().lines).toMatchObject([
      { productId: "p-1", quantity: 1 },
      { productId: "p-2", quantity: 1 },
    ]);
    expect(cart()).toMatchObject({ note: "", orderKey: null });
  });

  it("is remembered on this device, without anything secret", () => {
    useCart.getState().add(line);
    expect(localStorage.getItem("mobula-cart")).toContain("SKU-1");
    expect(Object.keys(localStorage)).toEqual(["mobula-cart"]);
  });
});

describe("from product to order", () => {
  it("adds, changes, places once with a key, and opens the order", async () => {
    const requests: { body: unknown; key: string | null }[] = [];
    server.use(
      http.post(url("/orders"), async ({ request }) => {
        requests.push({ body: await request.json(), key: request.headers.get("idempotency-key") });
        // The first answer is lost on the way.
        if (requests.length === 1) return problem(503, "unavailable");
        return HttpResponse.json(order(), { status: 201 });
      }),
    );
    renderApp(
      <>
        <CartButton />
        <ProductCard product={lamp} onOpen={() => undefined} />
      </>,
    );
    await userEvent.click(screen.getByRole("button", { name: "Add Desk lamp to cart" }));
    await userEvent.click(screen.getByRole("button", { name: "Cart, 1 item" }));
    const drawer = await screen.findByRole("dialog", { name: "Your cart" });
    await userEvent.click(within(drawer).getByRole("button", { name: "One Desk lamp more" }));
    expect(within(drawer).getByTestId("cart-total")).toHaveTextContent("€39.80");

    await press(drawer, "Place order");
    expect(await within(drawer).findByRole("alert")).toHaveTextContent("It failed: unavailable");
    await press(drawer, "Place order");
    await waitFor(() => expect(push).toHaveBeenCalledWith("/orders/o-1"));

    expect(requests.map(({ body }) => body)).toEqual([
      { lines: [{ product_id: "p-1", quantity: 2, expected_price: "19.90", expected_currency: "EUR" }] },
      { lines: [{ product_id: "p-1", quantity: 2, expected_price: "19.90", expected_currency: "EUR" }] },
    ]);
    expect(requests[0]?.key).toBeTruthy();
    expect(requests[0]?.key).toBe(requests[1]?.key);
    expect(useCart.getState().lines).toEqual([]);
  });

  it("uses another key once the cart has changed", async () => {
    const keys: (string | null)[] = [];
    server.use(
      http.post(url("/orders"), ({ request }) => {
        keys.push(request.headers.get("idempotency-key"));
        return problem(409, "out_of_stock");
      }),
    );
    useCart.getState().add(line);
    renderApp(<CartButton />);
    await userEvent.click(screen.getByRole("button", { name: "Cart, 1 item" }));
    const drawer = await screen.findByRole("dialog", { name: "Your cart" });
    await press(drawer, "Place order");
    await within(drawer).findByRole("alert");
    await userEvent.click(within(drawer).getByRole("button", { name: "One Desk lamp more" }));
    await press(drawer, "Place order");
    await waitFor(() => expect(keys).toHaveLength(2));
    expect(keys[0]).not.toBe(keys[1]);
  });

  it("orders once, whether one leaves the drawer, the page or the tab before the answer", async () => {
    const keys: (string | null)[] = [];
    let answer: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => (answer = resolve));
    server.use(
      http.post(url("/orders"), async ({ request }) => {
        keys.push(request.headers.get("idempotency-key"));
        await arrived;
        return HttpResponse.json(order(), { status: 201 });
      }),
    );
    useCart.getState().add(line);
    const { view } = renderApp(<CartButton />);
    await userEvent.click(screen.getByRole("button", { name: "Cart, 1 item" }));
    const drawer = await screen.findByRole("dialog", { name: "Your cart" });
    await press(drawer, "Place order");
    await waitFor(() => expect(keys).toHaveLength(1));
    await userEvent.keyboard("{Escape}");
    expect(screen.getByRole("dialog", { name: "Your cart" })).toBeInTheDocument();

    // A reload while the answer is on its way: the key is where the cart is.
    await act(async () => useCart.persist.rehydrate());
    expect(useCart.getState().orderKey).toBe(keys[0]);

    view.unmount();
    answer();
    await waitFor(() => expect(useCart.getState().lines).toEqual([]));
    expect(push).toHaveBeenCalledWith("/orders/o-1");
  });

  it("does not sell what is sold out", () => {
    renderApp(<ProductCard product={product({ stock: 0 })} onOpen={() => undefined} />);
    expect(screen.getByText("Sold out")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Add Desk lamp to cart" })).toBeDisabled();
  });

  it("does not say that it was added when there is no room for it", async () => {
    for (let index = 0; index < MAX_LINES; index += 1)
      useCart.getState().add({ ...line, productId: `full-${index}` });
    renderApp(<ProductCard product={lamp} onOpen={() => undefined} />);
    await userEvent.click(screen.getByRole("button", { name: "Add Desk lamp to cart" }));
    expect(await screen.findAllByText("Your cart is full")).not.toHaveLength(0);
    expect(screen.queryByText("Added")).not.toBeInTheDocument();
  });

  it("says so when it is empty", async () => {
    renderApp(<CartButton />);
    await userEvent.click(screen.getByRole("button", { name: "Cart, empty" }));
    expect(await screen.findByText("Your cart is empty")).toBeInTheDocument();
  });

  it("takes a quantity as it is typed, and no more than there are", async () => {
    sell({ stock: 40 });
    useCart.getState().add(line);
    const drawer = await openCart();
    const field = within(drawer).getByLabelText("Quantity of Desk lamp");
    await waitFor(() => expect(field).toHaveAttribute("max", "40"));
    await userEvent.clear(field);
    expect(field).toHaveValue(null);
    await userEvent.type(field, "25{Enter}");
    expect(useCart.getState().lines).toMatchObject([{ quantity: 25 }]);
    await userEvent.clear(field);
    await userEvent.type(field, "99");
    await userEvent.tab();
    expect(useCart.getState().lines).toMatchObject([{ quantity: 40 }]);
    expect(within(drawer).getByRole("button", { name: "One Desk lamp more" })).toBeDisabled();
    await userEvent.clear(field);
    await userEvent.tab();
    expect(field).toHaveValue(40);
  });
});
