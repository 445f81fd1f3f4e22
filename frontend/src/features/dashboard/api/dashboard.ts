import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";
import type { Dashboard } from "@/lib/api/types";
import type { SalesEvent, StatsEvent } from "@/lib/realtime/events";

/** Figures are pushed; what is not (recent orders, one's own counts) is asked for now and then. */
const REFRESH_MS = 15_000;

export const dashboardQuery = queryOptions({
  queryKey: ["dashboard"],
  queryFn: () => unwrap(api.GET("/api/v1/dashboard")),
});

export function useDashboard() {
  const queryClient = useQueryClient();
  useEffect(() => {
    // `refetchInterval` begins anew with every push, and would never end while they come.
    const timer = setInterval(() => {
      if (document.visibilityState === "visible")
        void queryClient.invalidateQueries({ queryKey: dashboardQuery.queryKey });
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [queryClient]);
  return useQuery(dashboardQuery);
}

/** The dashboard after a push of what the system does. */
export function withStats(dashboard: Dashboard | undefined, event: StatsEvent): Dashboard | undefined {
  if (!dashboard) return dashboard;
  return {
    ...dashboard,
    connections: event.connections ?? dashboard.connections,
    jobs_running: event.jobs_running ?? dashboard.jobs_running,
    jobs_waiting: event.jobs_waiting ?? dashboard.jobs_waiting,
  };
}

/** The dashboard after a push of what the whole shop does. */
export function withSales(dashboard: Dashboard | undefined, event: SalesEvent): Dashboard | undefined {
  // Who may see everybody's figures a moment ago may not now: then these counts are one's own.
  if (dashboard?.scope !== "all") return dashboard;
  return {
    ...dashboard,
    orders_today: event.orders_today ?? dashboard.orders_today,
    revenue_today:
      event.revenue_today === undefined ? dashboard.revenue_today : Number(event.revenue_today).toFixed(2),
  };
}
