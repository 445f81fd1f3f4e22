import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { Catalogue } from "@/features/products/components/catalogue";
import { Stock } from "@/features/products/components/product-card";
import { amount, toQuery } from "@/features/products/hooks/use-filters";

import { page, product } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

describe("the address of the catalogue", () => {
  it("becomes the API's query", () => {
    expect(
      toQuery({
        q: " lamp ",
        category: "home",
        min: "5",
        max: "9,5",
        low: false,
        sort: "price-desc",
        page: 2,
      }),
    ).toMatchObject({
      q: "lamp",
      category: "home",
      price_min: "5",
      price_max: "9.5",
      sort: "price",
      order: "desc",
      page: 2,
    });
    expect(
      toQuery({ q: "", category: "", min: "", max: "x", low: false, sort: "featured", page: -1 }),
    ).toMatchObject({
      q: undefined,
      price_max: undefined,
      sort: "created_at",
      page: 1,
    });
    expect([amount("12.345"), amount("-1"), amount("1e3"), amount(" 12.3 ")]).toEqual([
      undefined,
      undefined,
      undefined,
      "12.3",
    ]);
  });
});

describe("the catalogue", () => {
  it("searches as one types, says when nothing matches, and clears", async () => {
    const asked: (string | null)[] = [];
    server.use(
      http.get(url("/categories"), () =>
        HttpResponse.json({ items: [{ id: "c-1", slug: "home", name: "Home" }] }),
      ),
      http.get(url("/products"), ({ request }) => {
        const q = new URL(request.url).searchParams.get("q");
        asked.push(q);
        return HttpResponse.json(page(q === "xyz" ? [] : [product()]));
      }),
    );
    renderApp(<Catalogue />);
    expect(await screen.findByRole("button", { name: "Desk lamp" })).toBeInTheDocument();
    // At one go, however busy the machine is.
    for (const value of ["x", "xy", "xyz"])
      fireEvent.change(screen.getByLabelText("Search products"), { target: { value } });
    expect(await screen.findByText("Nothing matches")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(await screen.findByRole("button", { name: "Desk lamp" })).toBeInTheDocument();
    expect(asked.at(0)).toBeNull();
    expect(asked).toContain("xyz");
    expect(
      asked.filter((q) => q !== null && q !== "xyz"),
      "not at every letter",
    ).toEqual([]);
  });

  it("is walked back through page by page, and not letter by letter", async () => {
    const ways: string[] = [];
    server.use(
      http.get(url("/categories"), () => HttpResponse.json({ items: [] })),
      http.get(url("/products"), () => HttpResponse.json({ ...page([product()]), pages: 3, total: 70 })),
    );
    renderApp(<Catalogue />, { onUrl: ({ options }) => ways.push(options.history) });
    await userEvent.click(await screen.findByRole("button", { name: "Next" }));
    await waitFor(() => expect(ways).toEqual(["push"]));
    await userEvent.type(screen.getByLabelText("Search products"), "xy");
    await waitFor(() => expect(ways.length).toBeGreaterThan(1));
    expect(new Set(ways.slice(1))).toEqual(new Set(["replace"]));
  });

  it("says that little is left of what the filter calls low in stock", () => {
    const { rerender } = render(<Stock product={product({ stock: 10 })} />);
    expect(screen.getByText("10 in stock")).toBeInTheDocument();
    rerender(<Stock product={product({ stock: 9 })} />);
    expect(screen.getByText("Only 9 left")).toBeInTheDocument();
  });

  it("shows what is in stock now, for as long as a product is shown", async () => {
    const shown = [product({ id: "p-1", stock: 50 }), product({ id: "p-2", name: "Chair", stock: 40 })];
    server.use(
      http.get(url("/categories"), () => HttpResponse.json({ items: [] })),
      http.get(url("/products"), ({ request }) =>
        HttpResponse.json(page(new URL(request.url).searchParams.get("q") ? [] : shown)),
      ),
    );
    const { client } = renderApp(<Catalogue />);
    expect(await screen.findByText("50 in stock")).toBeInTheDocument();
    await waitFor(() => expect(client.polls.get("stock:levels")?.tracked).toEqual(new Set(["p-1", "p-2"])));
    const levels = client.polls.get("stock:levels");
    act(() => void levels?.emit("update", { key: "p-1", data: { stock: 3 }, version: 2 }));
    expect(screen.getByText("Only 3 left")).toBeInTheDocument();
    act(() => void levels?.emit("update", { key: "p-2", data: null, removed: true, version: 2 }));
    expect(screen.getByText("Sold out")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Add Chair to cart" })).toBeDisabled();
    await userEvent.click(screen.getByRole("button", { name: "Desk lamp" }));
    expect(within(await screen.findByRole("dialog")).getByText("Only 3 left")).toBeInTheDocument();
    await userEvent.keyboard("{Escape}");
    await userEvent.type(screen.getByLabelText("Search products"), "xyz");
    expect(await screen.findByText("Nothing matches")).toBeInTheDocument();
    await waitFor(() => expect(client.polls.size, "nobody looks any more").toBe(0));
    expect(levels?.unsubscribed).toBe(true);
  });

  it("shows the newest stock, whether it was heard or fetched", async () => {
    let shown = [product({ id: "p-1", stock: 50, version: 4 })];
    server.use(
      http.get(url("/categories"), () => HttpResponse.json({ items: [] })),
      http.get(url("/products"), () => HttpResponse.json(page(shown))),
    );
    const { client, queryClient } = renderApp(<Catalogue />);
    const fetched = async (stock: number, version: number) => {
      shown = [product({ id: "p-1", stock, version, name: `Lamp ${version}` })];
      await act(() => queryClient.invalidateQueries({ queryKey: ["products"] }));
      await screen.findByText(`Lamp ${version}`);
    };
    await waitFor(() => expect(client.polls.get("stock:levels")?.tracked).toEqual(new Set(["p-1"])));
    const heard = (update: object) =>
      act(() => void client.polls.get("stock:levels")?.emit("update", { key: "p-1", ...update }));
    heard({ data: { stock: 30 }, version: 6 });
    expect(screen.getByText("30 in stock")).toBeInTheDocument();
    await fetched(40, 5);
    expect(screen.getByText("30 in stock")).toBeInTheDocument();
    await fetched(20, 7);
    expect(screen.getByText("20 in stock")).toBeInTheDocument();

    // Taken out of the catalogue, and back in it.
    heard({ data: null, removed: true, version: 90 });
    expect(screen.getByText("Sold out")).toBeInTheDocument();
    await fetched(60, 9);
    expect(screen.getByText("60 in stock")).toBeInTheDocument();

    // No longer told is not gone.
    heard({ data: { stock: 55 }, version: 10 });
    heard({ data: null, removed: true });
    expect(screen.getByText("60 in stock")).toBeInTheDocument();
  });

  it("shows a product in full", async () => {
    server.use(
      http.get(url("/categories"), () => HttpResponse.json({ items: [] })),
      http.get(url("/products"), () =>
        HttpResponse.json(
          page([product({ description: "Bright.", attributes: { weight_g: 320, nested: {} } })]),
        ),
      ),
    );
    renderApp(<Catalogue />, { search: "?category=home" });
    await userEvent.click(await screen.findByRole("button", { name: "Desk lamp" }));
    const dialog = await screen.findByRole("dialog", { name: "Desk lamp" });
    await waitFor(() => expect(dialog).toHaveTextContent("Bright."));
    expect(dialog).toHaveTextContent("Weight g");
    expect(dialog).not.toHaveTextContent("Nested");
  });
});
