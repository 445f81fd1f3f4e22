import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";

import { OrderDesk } from "@/features/orders/components/order-desk";
import { OrderDetail } from "@/features/orders/components/order-detail";
import { reachable } from "@/features/orders/status";
import type { Order } from "@/lib/api/types";

import { currentUser, order, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const keeper = currentUser({ id: "op", permissions: ["orders:read_all", "orders:manage"] });
const theirs = (part: Partial<Order> = {}) => order({ user_id: "u-2", username: "grace", ...part });

let listed: Order[];
let asked: Record<string, string>[];

beforeEach(() => {
  listed = [theirs()];
  asked = [];
  server.use(
    http.get(url("/orders"), ({ request }) => {
      asked.push(Object.fromEntries(new URL(request.url).searchParams));
      return HttpResponse.json(page(listed));
    }),
  );
});

describe("reachable", () => {
  it("is the next step, and an end before the parcel has left", () => {
    expect(reachable("pending")).toEqual(["paid", "cancelled"]);
    expect(reachable("packed")).toEqual(["shipped", "cancelled"]);
    expect(reachable("shipped")).toEqual(["delivered"]);
    expect(reachable("delivered")).toEqual([]);
    expect(reachable("cancelled")).toEqual([]);
  });
});

describe("the order desk", () => {
  it("says whose each order is, and moves it on with a reason", async () => {
    const moves: unknown[] = [];
    server.use(
      http.post(url("/orders/o-1/status"), async ({ request }) => {
        moves.push(await request.json());
        listed = [theirs({ status: "paid" })];
        return HttpResponse.json(listed[0]);
      }),
    );
    renderApp(<OrderDesk />, { user: keeper });
    const row = await screen.findByTestId("desk-order");
    expect(row).toHaveTextContent("grace");
    expect(asked[0]).toEqual({ page: "1", everyone: "true", limit: "20" });
    await userEvent.click(within(row).getByRole("button", { name: "Mark as paid: order M-000001" }));
    const form = await screen.findByRole("form", { name: "Move order M-000001" });
    await userEvent.type(within(form).getByLabelText("Reason"), " Paid in cash ");
    await userEvent.click(within(form).getByRole("button", { name: "Mark as paid" }));
    await waitFor(() => expect(form).not.toBeInTheDocument());
    expect(moves).toEqual([{ status: "paid", reason: "Paid in cash" }]);
    await waitFor(() => expect(screen.getByTestId("order-status")).toHaveAttribute("data-status", "paid"));
  });

  it("keeps what was typed when somebody else was faster, and offers what is next by now", async () => {
    server.use(
      http.post(url("/orders/o-1/status"), () => {
        listed = [theirs({ status: "shipped" })];
        return problem(409, "status_not_reachable");
      }),
    );
    renderApp(<OrderDesk />, { user: keeper });
    await userEvent.click(await screen.findByRole("button", { name: /^Mark as paid/ }));
    const form = await screen.findByRole("form", { name: "Move order M-000001" });
    await userEvent.type(within(form).getByLabelText("Reason"), "in the van");
    await userEvent.click(within(form).getByRole("button", { name: "Mark as paid" }));
    expect(await within(form).findByText(/shipped by now/)).toBeInTheDocument();
    await userEvent.click(within(form).getByRole("button", { name: "Go on from shipped" }));
    expect(await within(form).findByRole("button", { name: "Mark as delivered" })).toBeEnabled();
    expect(within(form).getByLabelText("Reason")).toHaveValue("in the van");
  });

  it("takes no click for a step that was offered in its place a moment ago", async () => {
    const moves: unknown[] = [];
    server.use(
      http.post(url("/orders/o-1/status"), async ({ request }) => {
        moves.push(await request.json());
        return HttpResponse.json(theirs({ status: "packed" }));
      }),
    );
    const { queryClient } = renderApp(<OrderDesk />, { user: keeper });
    await userEvent.click(await screen.findByRole("button", { name: /^Mark as paid/ }));
    const form = await screen.findByRole("form", { name: "Move order M-000001" });
    listed = [theirs({ status: "paid" })];
    await queryClient.refetchQueries({ queryKey: ["orders", "desk"] });
    await userEvent.click(await within(form).findByRole("button", { name: "Go on from paid" }));
    expect(moves).toEqual([]);
    await userEvent.click(await within(form).findByRole("button", { name: "Mark as packed" }));
    await waitFor(() => expect(moves).toEqual([{ status: "packed", reason: "" }]));
  });

  it("is narrowed by status, number and person", async () => {
    listed = [];
    renderApp(<OrderDesk />, { user: keeper, search: "?status=packed&person=u-2&page=1" });
    expect(await screen.findByText("No orders here")).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText("Order number"), "M-100042 ");
    await waitFor(() =>
      expect(asked.at(-1)).toMatchObject({ status: "packed", number: "M-100042", user_id: "u-2" }),
    );
    await userEvent.click(screen.getByRole("button", { name: "Orders of everybody" }));
    await waitFor(() => expect(asked.at(-1)).not.toHaveProperty("user_id"));
  });

  it("only shows them to those who may not move them", async () => {
    renderApp(<OrderDesk />, { user: currentUser({ permissions: ["orders:read_all"] }) });
    const row = await screen.findByTestId("desk-order");
    expect(within(row).queryByRole("button")).not.toBeInTheDocument();
  });

  it("says what failed", async () => {
    server.use(http.get(url("/orders"), () => problem(503, "unavailable")));
    renderApp(<OrderDesk />, { user: keeper });
    expect(await screen.findByText("It failed: unavailable")).toBeInTheDocument();
  });
});

describe("somebody else's order", () => {
  it("says whose it is, leads back to the desk, and is cancelled with a reason", async () => {
    let current = theirs({
      _links: { self: { href: "/x" }, status: { href: "/x" }, cancel: { href: "/x" } },
    });
    server.use(
      http.get(url("/orders/o-1"), () => HttpResponse.json(current)),
      http.post(url("/orders/o-1/status"), async ({ request }) => {
        expect(await request.json()).toEqual({ status: "cancelled", reason: "Asked by phone" });
        current = theirs({ status: "cancelled" });
        return HttpResponse.json(current);
      }),
    );
    renderApp(<OrderDetail orderId="o-1" />, { user: keeper });
    expect(await screen.findByRole("link", { name: "Order desk" })).toHaveAttribute("href", "/desk");
    expect(screen.getByText(/by grace/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Move on" }));
    await userEvent.click(await screen.findByRole("combobox", { name: "New status" }));
    await userEvent.click(await screen.findByRole("option", { name: "Cancelled" }));
    await userEvent.type(screen.getByLabelText("Reason"), "Asked by phone");
    await userEvent.click(screen.getByRole("button", { name: "Cancel the order" }));
    await waitFor(() => expect(screen.queryByRole("form")).not.toBeInTheDocument());
    expect(screen.queryByRole("button", { name: "Move on" })).not.toBeInTheDocument();
  });
});
