import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import { OrderDetail } from "@/features/orders/components/order-detail";
import { OrderList } from "@/features/orders/components/order-list";
import { withStatus } from "@/features/orders/status";
import type { OrderStatusEvent } from "@/lib/realtime/events";

import { order, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const paid: OrderStatusEvent = {
  type: "order.status",
  order_id: "o-1",
  order_number: "M-000001",
  status: "paid",
  previous: "pending",
  at: "2026-11-22T12:00:05Z",
};

describe("withStatus", () => {
  it("adds the change once, to the order it is about", () => {
    const after = withStatus(order(), paid);
    expect(after).toMatchObject({
      status: "paid",
      history: [{ status: "pending" }, { status: "paid", at: paid.at }],
    });
    expect(withStatus(after, paid)).toBe(after);
    const other = order({ id: "o-2" });
    expect(withStatus(other, paid)).toBe(other);
    expect(withStatus(undefined, paid)).toBeUndefined();
  });
});

describe("the order page", () => {
  it("moves along when the status is published, and says so to screen readers", async () => {
    let current = order();
    server.use(http.get(url("/orders/o-1"), () => HttpResponse.json(current)));
    const { client } = renderApp(<OrderDetail orderId="o-1" />);
    expect(await screen.findByRole("heading", { name: "Order M-000001" })).toBeInTheDocument();
    expect(document.title).toBe("Order M-000001 · Mobula");
    expect(screen.getByTestId("order-status")).toHaveAttribute("data-status", "pending");
    expect(screen.getByTestId("step-paid")).toHaveAttribute("data-reached", "false");

    await waitFor(() => expect(client.subscriptions.has("orders:updates#u-1")).toBe(true));
    current = withStatus(current, paid) ?? current;
    act(() => void client.subscription("orders:updates#u-1").emit("publication", { data: paid }));
    await waitFor(() => expect(screen.getByTestId("order-status")).toHaveAttribute("data-status", "paid"));
    expect(screen.getByTestId("step-paid")).toHaveAttribute("data-reached", "true");
    expect(screen.getByText("Order M-000001: Paid")).toHaveAttribute("aria-live", "polite");
  });

  it("catches up after a gap that could not be recovered", async () => {
    let current = order();
    server.use(http.get(url("/orders/o-1"), () => HttpResponse.json(current)));
    const { client } = renderApp(<OrderDetail orderId="o-1" />);
    await screen.findByTestId("order-status");
    await waitFor(() => expect(client.subscriptions.has("orders:updates#u-1")).toBe(true));
    current = order({
      status: "cancelled",
      history: [
        ...order().history,
        { status: "cancelled", previous: "pending", at: paid.at, reason: "Ordered twice" },
      ],
    });
    act(() => void client.subscription("orders:updates#u-1").emit("subscribed", { recovered: false }));
    await waitFor(() =>
      expect(screen.getByTestId("order-status")).toHaveAttribute("data-status", "cancelled"),
    );
    expect(screen.getByText("Ordered twice")).toBeInTheDocument();
    expect(screen.queryByTestId("step-shipped")).not.toBeInTheDocument();
  });

  it("asks for what is not told: changes of somebody else's order", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    let status: "pending" | "delivered" = "pending";
    let asked = 0;
    server.use(
      http.get(url("/orders/o-1"), () => {
        asked += 1;
        return HttpResponse.json(order({ user_id: "u-9", status }));
      }),
    );
    renderApp(<OrderDetail orderId="o-1" />);
    await screen.findByTestId("order-status");
    status = "delivered";
    await act(async () => vi.advanceTimersByTimeAsync(5_500));
    await waitFor(() =>
      expect(screen.getByTestId("order-status")).toHaveAttribute("data-status", "delivered"),
    );
    expect(asked).toBe(2);
    await act(async () => vi.advanceTimersByTimeAsync(20_000));
    expect(asked).toBe(2);
    vi.useRealTimers();
  });

  it("says when there is no such order", async () => {
    server.use(http.get(url("/orders/o-1"), () => problem(404, "not_found")));
    renderApp(<OrderDetail orderId="o-1" />);
    expect(await screen.findByRole("alert")).toHaveTextContent("It failed: not_found");
  });
});

describe("the list of orders", () => {
  it("leads back from a page that it does not have", async () => {
    server.use(
      http.get(url("/orders"), ({ request }) =>
        HttpResponse.json(page(new URL(request.url).searchParams.get("page") === "1" ? [order()] : [])),
      ),
    );
    renderApp(<OrderList />, { search: "?page=9" });
    await userEvent.click(await screen.findByRole("button", { name: "Back to the first page" }));
    expect(screen.queryByText("No orders yet")).not.toBeInTheDocument();
    expect(await screen.findByRole("link", { name: "M-000001" })).toBeInTheDocument();
  });
});
