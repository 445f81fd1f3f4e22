import { act, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { OrderDetail } from "@/features/orders/components/order-detail";
import { withStatus } from "@/features/orders/status";
import type { OrderStatusEvent } from "@/lib/realtime/events";

import { order } from "../support/fixtures";
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

  it("says when there is no such order", async () => {
    server.use(http.get(url("/orders/o-1"), () => problem(404, "not_found")));
    renderApp(<OrderDetail orderId="o-1" />);
    expect(await screen.findByRole("alert")).toHaveTextContent("It failed: not_found");
  });
});
