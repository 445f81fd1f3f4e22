import { queryOptions, useQuery } from "@tanstack/react-query";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Dashboard } from "@/lib/api/types";
import type { StatsEvent } from "@/lib/realtime/events";

/** Figures are pushed; what is not (recent orders, one's own counts) is asked for now and then. */
const REFRESH_MS = 15_000;

export const dashboardQuery = queryOptions({
  queryKey: ["dashboard"],
  queryFn: () => unwrap(api.GET("/api/v1/dashboard")),
  refetchInterval: REFRESH_MS,
});

export function useDashboard() {
  return useQuery(dashboardQuery);
}

/** The dashboard after a push. Pushed orders and revenue are the whole shop's: not for those who see their own only. */
export function withStats(dashboard: Dashboard | undefined, event: StatsEvent): Dashboard | undefined {
  if (!dashboard) return dashboard;
  const shop = dashboard.scope === "all";
  return {
    ...dashboard,
    connections: event.connections ?? dashboard.connections,
    jobs_running: event.jobs_running ?? dashboard.jobs_running,
    jobs_waiting: event.jobs_waiting ?? dashboard.jobs_waiting,
    orders_today: (shop ? event.orders_today : undefined) ?? dashboard.orders_today,
    revenue_today:
      shop && event.revenue_today !== undefined
        ? Number(event.revenue_today).toFixed(2)
        : dashboard.revenue_today,
  };
}
