import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { Catalogue } from "@/features/products/components/catalogue";
import { amount, toQuery } from "@/features/products/hooks/use-filters";

import { page, product } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

describe("the address of the catalogue", () => {
  it("becomes the API's query", () => {
    expect(
      toQuery({ q: " lamp ", category: "home", min: "5", max: "9,5", sort: "price-desc", page: 2 }),
    ).toMatchObject({
      q: "lamp",
      category: "home",
      price_min: "5",
      price_max: "9.5",
      sort: "price",
      order: "desc",
      page: 2,
    });
    expect(toQuery({ q: "", category: "", min: "", max: "x", sort: "featured", page: -1 })).toMatchObject({
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
    await userEvent.type(screen.getByLabelText("Search products"), "xyz");
    expect(await screen.findByText("Nothing matches")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(await screen.findByRole("button", { name: "Desk lamp" })).toBeInTheDocument();
    expect(asked.at(0)).toBeNull();
    expect(asked).toContain("xyz");
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
