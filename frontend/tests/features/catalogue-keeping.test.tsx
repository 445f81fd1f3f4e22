import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { CategoryList } from "@/features/products/components/category-list";
import { Catalogue } from "@/features/products/components/catalogue";
import { ProductPage } from "@/features/products/components/product-page";
import { ProductPicture } from "@/features/products/components/product-picture";
import { StaffBar } from "@/features/products/components/staff-bar";
import type { Category, Product } from "@/lib/api/types";

import { currentUser, page, product } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, NOT_WRITTEN_SO, problem, refused, server, url } from "../support/server";

const push = vi.hoisted(() => vi.fn());
vi.mock("next/navigation", () => ({ useRouter: () => ({ push }) }));

const keeper = currentUser({ permissions: ["products:write"] });
const home: Category = product().category;
const LINKS = { self: { href: "/x" }, update: { href: "/x" }, delete: { href: "/x" } };

let categories: Category[];

beforeEach(() => {
  categories = [home];
  server.use(http.get(url("/categories"), () => HttpResponse.json({ items: categories })));
});

describe("a product's picture", () => {
  it("is shown where there is one, and its sign where it cannot be loaded", () => {
    const { view } = renderApp(
      <ProductPicture product={product({ image_url: "https://x.example/a.webp" })} />,
    );
    const picture = view.container.querySelector("img");
    expect(picture).toHaveAttribute("src", "https://x.example/a.webp");
    expect(picture).toHaveAttribute("referrerpolicy", "no-referrer");
    if (picture) fireEvent.error(picture);
    expect(view.container.querySelector("img")).toBeNull();
    expect(view.container.querySelector("svg")).not.toBeNull();
  });
});

describe("a product's page", () => {
  let held: Product;

  beforeEach(() => {
    held = product({ _links: LINKS, attributes: { colour: "red" } });
    server.use(http.get(url("/products/p-1"), () => HttpResponse.json(held)));
  });

  it("shows it to everybody, and how to change it only to those who may", async () => {
    held = product({ description: "Bright", attributes: { colour: "red" } });
    renderApp(<ProductPage productId="p-1" />);
    expect(await screen.findByRole("heading", { name: "Desk lamp" })).toBeInTheDocument();
    expect(document.title).toBe("Desk lamp · Mobula");
    expect(screen.getByText("Bright")).toBeInTheDocument();
    expect(screen.getByText("red")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Add to cart" })).toBeEnabled();
    expect(screen.queryByRole("button", { name: "Edit" })).not.toBeInTheDocument();
  });

  it("sends what was changed, in the version that was read, and keeps it when that was not the newest", async () => {
    const sent: { match: string | null; body: unknown }[] = [];
    server.use(
      http.patch(url("/products/p-1"), async ({ request }) => {
        sent.push({ match: request.headers.get("if-match"), body: await request.json() });
        if (sent.length === 1) {
          held = { ...held, version: 2, stock: 4 };
          return problem(412, "version_mismatch");
        }
        held = { ...held, version: 3, price: "21.50" };
        return HttpResponse.json(held);
      }),
    );
    renderApp(<ProductPage productId="p-1" />, { user: keeper });
    await userEvent.click(await screen.findByRole("button", { name: "Edit" }));
    const form = await screen.findByRole("form", { name: "Product" });
    const price = within(form).getByLabelText("Price (EUR)");
    await userEvent.clear(price);
    await userEvent.type(price, "cheap");
    await userEvent.click(within(form).getByRole("button", { name: "Save product" }));
    expect(await within(form).findByText("An amount such as 12.50.")).toBeInTheDocument();
    await userEvent.clear(price);
    await userEvent.type(price, "21,50");
    await userEvent.click(within(form).getByRole("button", { name: "Save product" }));
    expect(await within(form).findByText("It failed: version_mismatch")).toBeInTheDocument();
    expect(price).toHaveValue("21,50");
    await waitFor(() => expect(screen.getByText("Only 4 left")).toBeInTheDocument());
    await userEvent.click(within(form).getByRole("button", { name: "Save product" }));
    await waitFor(() => expect(form).not.toBeInTheDocument());
    expect(sent).toEqual([
      { match: '"1"', body: { price: "21.50" } },
      { match: '"2"', body: { price: "21.50" } },
    ]);
    expect(screen.getByText("€21.50")).toBeInTheDocument();
  });

  it("takes the product out of the catalogue", async () => {
    let match: string | null = null;
    server.use(
      http.delete(url("/products/p-1"), ({ request }) => {
        match = request.headers.get("if-match");
        return new HttpResponse(null, { status: 204 });
      }),
    );
    renderApp(<ProductPage productId="p-1" />, { user: keeper });
    await userEvent.click(await screen.findByRole("button", { name: "Remove" }));
    await userEvent.click(await screen.findByRole("button", { name: "Remove the product" }));
    await waitFor(() => expect(push).toHaveBeenCalledWith("/catalogue"));
    expect(match).toBe('"1"');
  });
});

describe("a new product", () => {
  it("is added, and what the server says of a field stands beside it", async () => {
    const sent: unknown[] = [];
    server.use(
      http.post(url("/products"), async ({ request }) => {
        sent.push(await request.json());
        return sent.length === 1
          ? refused(422, "validation_failed", "#/image_url", NOT_WRITTEN_SO)
          : HttpResponse.json(product({ id: "p-9", name: "Chair" }), { status: 201 });
      }),
    );
    renderApp(<StaffBar />, { user: keeper });
    await userEvent.click(screen.getByRole("button", { name: "New product" }));
    const form = await screen.findByRole("form", { name: "Product" });
    await userEvent.type(within(form).getByLabelText("Name"), "Chair");
    await userEvent.type(within(form).getByLabelText("SKU"), "C-1");
    await userEvent.type(within(form).getByLabelText("Price (EUR)"), "49");
    await userEvent.type(within(form).getByLabelText("Picture"), "chair.png");
    await userEvent.click(within(form).getByRole("button", { name: "Add product" }));
    expect(await within(form).findByText("Choose a category.")).toBeInTheDocument();
    await userEvent.click(within(form).getByRole("combobox", { name: "Category" }));
    await userEvent.click(await screen.findByRole("option", { name: "Home" }));
    await userEvent.click(within(form).getByRole("button", { name: "Add product" }));
    const rule = "An address with https://, or a path with / before it.";
    expect(await within(form).findByText(rule)).toBeInTheDocument();
    expect(sent).toEqual([]);
    await userEvent.clear(within(form).getByLabelText("Picture"));
    await userEvent.type(within(form).getByLabelText("Picture"), "/chair.png");
    await userEvent.click(within(form).getByRole("button", { name: "Add product" }));
    await waitFor(() =>
      expect(within(form).getByLabelText("Picture")).toHaveAccessibleDescription(
        expect.stringContaining(NOT_WRITTEN_SO),
      ),
    );
    await userEvent.clear(within(form).getByLabelText("Picture"));
    await userEvent.click(within(form).getByRole("button", { name: "Add product" }));
    await waitFor(() => expect(push).toHaveBeenCalledWith("/catalogue/p-9"));
    expect(sent.at(-1)).toEqual({
      ...{ name: "Chair", sku: "C-1", category_id: "c-1", price: "49", stock: 0 },
      ...{ image_url: null, description: "" },
    });
  });

  it("is not lost by a press beside it", async () => {
    renderApp(<StaffBar />, { user: keeper });
    await userEvent.click(screen.getByRole("button", { name: "New product" }));
    const form = await screen.findByRole("form", { name: "Product" });
    await userEvent.type(within(form).getByLabelText("Name"), "Chair");
    await userEvent.click(screen.getByRole("dialog").parentElement ?? document.body);
    expect(within(form).getByLabelText("Name")).toHaveValue("Chair");
    await userEvent.click(within(form).getByRole("button", { name: "Discard" }));
    await waitFor(() => expect(form).not.toBeInTheDocument());
  });

  it("needs a category first", async () => {
    categories = [];
    renderApp(<StaffBar />, { user: keeper });
    await userEvent.click(screen.getByRole("button", { name: "New product" }));
    expect(await screen.findByText(/make a category first/)).toBeInTheDocument();
  });

  it("is for those who keep the catalogue", () => {
    renderApp(<StaffBar />);
    expect(screen.queryByRole("button", { name: "New product" })).not.toBeInTheDocument();
  });
});

describe("the catalogue", () => {
  it("is narrowed to what is low in stock", async () => {
    const asked: (string | null)[] = [];
    server.use(
      http.get(url("/products"), ({ request }) => {
        asked.push(new URL(request.url).searchParams.get("low"));
        return HttpResponse.json(page([product()]));
      }),
    );
    renderApp(<Catalogue />, { user: keeper });
    await userEvent.click(await screen.findByRole("button", { name: "Low in stock" }));
    await waitFor(() => expect(asked).toEqual([null, "true"]));
    expect(screen.getByRole("button", { name: "Low in stock" })).toHaveAttribute("aria-pressed", "true");
  });
});

describe("categories", () => {
  it("are made, with an address after their name, and put below another", async () => {
    let sent: unknown;
    server.use(
      http.post(url("/categories"), async ({ request }) => {
        sent = await request.json();
        categories = [home, { ...home, id: "c-2", slug: "desk-lamps", name: "Desk lamps", parent_id: "c-1" }];
        return HttpResponse.json(categories[1], { status: 201 });
      }),
    );
    renderApp(<CategoryList />, { user: keeper });
    expect(await screen.findAllByTestId("category")).toHaveLength(1);
    await userEvent.click(screen.getByRole("button", { name: "New category" }));
    const form = await screen.findByRole("form", { name: "Category" });
    await userEvent.type(within(form).getByLabelText("Name"), "Desk lämps!");
    expect(within(form).getByLabelText("In addresses")).toHaveValue("desk-lamps");
    await userEvent.clear(within(form).getByLabelText("In addresses"));
    await userEvent.type(within(form).getByLabelText("In addresses"), "lamps");
    await userEvent.type(within(form).getByLabelText("Name"), "!");
    expect(within(form).getByLabelText("In addresses")).toHaveValue("lamps");
    await userEvent.click(within(form).getByRole("combobox", { name: "Below" }));
    await userEvent.click(await screen.findByRole("option", { name: "Home" }));
    await userEvent.click(within(form).getByRole("button", { name: "Add category" }));
    await waitFor(() => expect(screen.getAllByTestId("category")).toHaveLength(2));
    expect(sent).toEqual({
      ...{ name: "Desk lämps!!", slug: "lamps", parent_id: "c-1", position: 0, description: "" },
    });
  });

  it("are changed in the version that was read, and stay when something is in them", async () => {
    let match: string | null = null;
    server.use(
      http.patch(url("/categories/c-1"), async ({ request }) => {
        match = request.headers.get("if-match");
        categories = [{ ...home, name: "Living", version: 2 }];
        return HttpResponse.json(categories[0]);
      }),
      http.delete(url("/categories/c-1"), () => problem(409, "category_in_use")),
    );
    renderApp(<CategoryList />, { user: keeper });
    await userEvent.click(await screen.findByRole("button", { name: "Edit Home" }));
    const form = await screen.findByRole("form", { name: "Category" });
    await userEvent.clear(within(form).getByLabelText("Name"));
    await userEvent.type(within(form).getByLabelText("Name"), "Living");
    await userEvent.click(within(form).getByRole("button", { name: "Save category" }));
    expect(await screen.findByRole("button", { name: "Edit Living" })).toBeInTheDocument();
    expect(match).toBe('"1"');
    await userEvent.click(screen.getByRole("button", { name: "Remove Living" }));
    await userEvent.click(await screen.findByRole("button", { name: "Remove the category" }));
    expect(await screen.findAllByText("The category was not removed")).not.toHaveLength(0);
  });

  it("begin with an invitation", async () => {
    categories = [];
    renderApp(<CategoryList />, { user: keeper });
    expect(await screen.findByText("No categories yet")).toBeInTheDocument();
  });
});
