import { act, screen, waitFor } from "@testing-library/react";
import { expect, it, vi } from "vitest";

import { DashboardView } from "@/features/dashboard/components/dashboard-view";
import { type Sample, useSamples } from "@/features/dashboard/hooks/use-live-dashboard";
import type { Dashboard } from "@/lib/api/types";

import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

vi.mock("next/dynamic", () => ({ default: () => () => null }));

const dashboard = {
  scope: "own",
  orders_today: 1,
  orders_total: 2,
  orders_open: 1,
  orders_by_status: {},
  recent_orders: [],
  revenue_today: "9.90",
  currency: "EUR",
  connections: 3,
  jobs_running: 0,
  jobs_waiting: 0,
} as unknown as Dashboard;

it("says whether it is live, and draws no line for figures that nobody told", async () => {
  server.use(http.get(url("/dashboard"), () => HttpResponse.json(dashboard)));
  let samples: readonly Sample[] = [];
  const Samples = () => {
    samples = useSamples(dashboard);
    return null;
  };
  const { client } = renderApp(
    <>
      <DashboardView recentOrders={() => null} />
      <Samples />
    </>,
  );
  expect(await screen.findByText("Not live")).toBeInTheDocument();
  expect(samples.at(-1)).toMatchObject({ connections: null, running: null, waiting: null });
  await waitFor(() => expect(client.connects).toBe(1));
  act(() => void client.emit("connected", {}));
  expect(await screen.findByText("Live")).toBeInTheDocument();
  expect(samples.at(-1)).toMatchObject({ connections: 3, running: 0, waiting: 0 });
  act(() => void client.emit("connecting", {}));
  expect(await screen.findByText("Not live")).toBeInTheDocument();
  expect(samples.at(-1)).toMatchObject({ connections: null });
});

it("asks now and then for what is not pushed, however often something is", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let asked = 0;
  server.use(
    http.get(url("/dashboard"), () => {
      asked += 1;
      return HttpResponse.json(dashboard);
    }),
  );
  const { client } = renderApp(<DashboardView recentOrders={() => null} />);
  await screen.findByText("Not live");
  await waitFor(() => expect(client.subscriptions.has("dashboard:live")).toBe(true));
  const channel = client.subscription("dashboard:live");
  for (let seconds = 0; seconds < 16; seconds += 2) {
    act(() => void channel.emit("publication", { data: { type: "stats", connections: seconds } }));
    await act(async () => vi.advanceTimersByTimeAsync(2_000));
  }
  await waitFor(() => expect(asked).toBe(2));
  vi.useRealTimers();
});
