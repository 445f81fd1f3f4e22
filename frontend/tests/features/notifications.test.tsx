import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { mayCount, withNotification, withRead } from "@/features/notifications/api/notifications";
import { NotificationBell } from "@/features/notifications/components/notification-bell";
import { targetOf } from "@/features/notifications/target";
import { withSales, withStats } from "@/features/dashboard/api/dashboard";
import { useLiveFigures } from "@/features/dashboard/hooks/use-live-dashboard";
import type { Dashboard, Notification } from "@/lib/api/types";

import { notices } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

const notification = (part: Partial<Notification> = {}): Notification => ({
  id: "n-1",
  kind: "order.status",
  title: "Order M-1 is paid",
  body: "The payment is in.",
  data: { order_id: "o-1" },
  read_at: null,
  created_at: "2026-11-22T12:00:00Z",
  _links: {},
  ...part,
});

describe("notifications", () => {
  it("arrive on the personal channel, are counted, told, and marked as read", async () => {
    const read: string[] = [];
    const items = [notification({ data: {} })];
    server.use(
      http.get(url("/notifications"), () => HttpResponse.json(notices(items))),
      http.post(url("/notifications/:id/read"), ({ params }) => {
        read.push(String(params.id));
        items.forEach((item) => item.id === params.id && (item.read_at = item.created_at));
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { client } = renderApp(<NotificationBell />);
    expect(await screen.findByRole("button", { name: "Notifications, 1 unread" })).toBeInTheDocument();
    const pushed = {
      type: "notification",
      notification: notification({ id: "n-2", title: "Your export is ready" }),
    };
    items.unshift(pushed.notification);
    act(() => void client.emit("publication", { channel: "user:#u-1", data: pushed }));
    await userEvent.click(await screen.findByRole("button", { name: "Notifications, 2 unread" }));
    await userEvent.click(await screen.findByRole("button", { name: /Unread: Order M-1 is paid/ }));
    expect(await screen.findByRole("button", { name: "Notifications, 1 unread" })).toBeInTheDocument();
    expect(read).toEqual(["n-1"]);
  });

  it("stay read though an answer from before is still on its way", async () => {
    let answer: () => void = () => undefined;
    let asked = 0;
    server.use(
      http.get(url("/notifications"), async () => {
        asked += 1;
        if (asked > 1) await new Promise<void>((resolve) => (answer = resolve));
        return HttpResponse.json(notices([notification({ data: {} })]));
      }),
      http.post(url("/notifications/:id/read"), () => new HttpResponse(null, { status: 204 })),
    );
    const { queryClient } = renderApp(<NotificationBell />);
    await userEvent.click(await screen.findByRole("button", { name: "Notifications, 1 unread" }));
    const item = await screen.findByRole("button", { name: /Unread: Order M-1 is paid/ });
    void queryClient.invalidateQueries({ queryKey: ["notifications"] });
    await waitFor(() => expect(asked).toBe(2));
    await userEvent.click(item);
    await act(async () => {
      answer();
      await waitFor(() => expect(queryClient.isFetching()).toBe(0));
    });
    expect(screen.getByRole("button", { name: "Notifications" })).toBeInTheDocument();
  });

  it("about what is on the screen are marked as read instead of told", async () => {
    const read: string[] = [];
    server.use(
      http.get(url("/notifications"), () => HttpResponse.json(notices([]))),
      http.post(url("/notifications/:id/read"), ({ params }) => {
        read.push(String(params.id));
        return new HttpResponse(null, { status: 204 });
      }),
    );
    window.history.replaceState(null, "", "/orders/o-1");
    const { client } = renderApp(<NotificationBell />);
    await waitFor(() => expect(client.connects).toBe(1));
    const event = { type: "notification", notification: notification({ id: "n-9", title: "Seen already" }) };
    act(() => void client.emit("publication", { channel: "user:#u-1", data: event }));
    await waitFor(() => expect(read).toEqual(["n-9"]));
    expect(screen.queryByText("Seen already")).not.toBeInTheDocument();
    window.history.replaceState(null, "", "/");
  });

  it("are counted by the server, also those that the bell does not list", async () => {
    let older = 120;
    let asked = 0;
    server.use(
      http.get(url("/notifications"), () => {
        asked += 1;
        return HttpResponse.json(notices([notification({ data: {} })], older));
      }),
      http.post(url("/notifications/:id/read"), () => new HttpResponse(null, { status: 204 })),
    );
    const { client } = renderApp(<NotificationBell />);
    const bell = await screen.findByRole("button", { name: "Notifications, 121 unread" });
    expect(bell).toHaveTextContent("99+");
    // News of an older one: it is not one more, which only the server knows.
    const news = notification({ id: "n-7", title: "Order M-7 is packed" });
    older = 119;
    act(
      () =>
        void client.emit("publication", {
          channel: "user:#u-1",
          data: { type: "notification", notification: news },
        }),
    );
    await waitFor(() => expect(asked).toBe(2));
    expect(await screen.findByRole("button", { name: "Notifications, 120 unread" })).toBeInTheDocument();
  });

  it("count what is read once, and go on counting what the page has no room for", () => {
    const items = Array.from({ length: 20 }, (_, index) => notification({ id: `n-${index}` }));
    const full = notices(items, 3);
    const more = withNotification(full, notification({ id: "n-new" }));
    expect(more).toMatchObject({ unread: 24 });
    expect(more?.items).toHaveLength(20);
    const read = withRead(more, "n-3", "2026-11-22T13:00:00Z");
    expect(read).toMatchObject({ unread: 23 });
    expect(withRead(read, "n-3", "2026-11-22T13:00:00Z")).toBe(read);
    expect(withRead(read, "n-19", "2026-11-22T13:00:00Z")).toBe(read);
    expect([mayCount(read, "n-19"), mayCount(read, "n-3"), mayCount(undefined, "n-3")]).toEqual([
      true,
      false,
      false,
    ]);
    expect(mayCount(notices(items), "n-99")).toBe(false);
  });

  it("are not listed twice, and lead to what they are about", () => {
    const before = notices([notification()]);
    expect(withNotification(before, notification())).toBe(before);
    expect(withNotification(before, notification({ id: "n-2" }))).toMatchObject({ total: 2 });
    expect(withNotification(undefined, notification())).toBeUndefined();
    // The server writes news into the notice that is still unread.
    const two = notices([notification({ id: "n-2" }), notification()]);
    const news = notification({ title: "Order M-1 is packed", created_at: "2026-11-22T12:05:00Z" });
    expect(withNotification(two, news)).toMatchObject({ total: 2, items: [news, { id: "n-2" }] });
    expect(withNotification(notices([news]), notification())?.items).toEqual([news]);
    expect(targetOf(notification())).toBe("/orders/o-1");
    expect(targetOf(notification({ data: { conversation_id: "c-1" } }))).toBe("/conversations/c-1");
    expect(targetOf(notification({ data: { export_id: "e-1" } }))).toBe("/exports");
    expect(targetOf(notification({ data: {} }))).toBeNull();
  });
});

describe("the dashboard's live figures", () => {
  const dashboard = {
    scope: "own",
    orders_today: 1,
    revenue_today: "9.90",
    connections: 3,
    jobs_running: 0,
    jobs_waiting: 0,
  };
  const stats = { type: "stats" as const, connections: 4, jobs_running: 2 };
  const sales = { type: "sales" as const, orders_today: 50, revenue_today: 1000.5 };

  it("replace the system's figures for everybody, the shop's only for those who see the shop", () => {
    expect(withStats(dashboard as Dashboard, stats)).toMatchObject({
      orders_today: 1,
      revenue_today: "9.90",
      connections: 4,
      jobs_running: 2,
      jobs_waiting: 0,
    });
    expect(withSales(dashboard as Dashboard, sales)).toBe(dashboard);
    expect(withSales({ ...dashboard, scope: "all" } as Dashboard, sales)).toMatchObject({
      orders_today: 50,
      revenue_today: "1000.50",
    });
    expect(withStats(undefined, stats)).toBeUndefined();
    expect(withSales(undefined, sales)).toBeUndefined();
  });

  it.each([
    ["own", ["dashboard:live"]],
    ["all", ["dashboard:live", "sales:live"]],
  ])("are subscribed to as far as one may see them (%s)", async (scope, channels) => {
    const Figures = () => {
      useLiveFigures({ ...dashboard, scope } as Dashboard);
      return null;
    };
    const { client } = renderApp(<Figures />);
    await waitFor(() => expect([...client.subscriptions.keys()].sort()).toEqual(channels));
  });
});
