"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import type { Dashboard } from "@/lib/api/types";
import { channels, type SalesEvent, type StatsEvent } from "@/lib/realtime/events";
import { useChannel, useConnectionState } from "@/lib/realtime/hooks";
import { mergePushed } from "@/lib/realtime/pushed";

import { dashboardQuery, withSales, withStats } from "../api/dashboard";

export interface Sample {
  /** Seconds since 1970, as the chart counts. */
  at: number;
  connections: number | null;
  running: number | null;
  waiting: number | null;
}

/** Ten minutes at one sample per two seconds. */
const MAX_SAMPLES = 300;

/** Merges pushed figures into the dashboard; those of the shop only for who may subscribe to them. */
export function useLiveFigures(dashboard: Dashboard | undefined): void {
  const queryClient = useQueryClient();
  const { queryKey } = dashboardQuery;
  useChannel<StatsEvent>(channels.dashboard, (event) => {
    if (event.type === "stats")
      mergePushed<Dashboard>(queryClient, queryKey, (dashboard) => withStats(dashboard, event));
  });
  useChannel<SalesEvent>(dashboard?.scope === "all" ? channels.sales : null, (event) => {
    if (event.type === "sales")
      mergePushed<Dashboard>(queryClient, queryKey, (dashboard) => withSales(dashboard, event));
  });
}

/** What the figures have been since the page was opened; a gap for as long as nobody told us. */
export function useSamples(dashboard: Dashboard): readonly Sample[] {
  const { connections, jobs_running: running, jobs_waiting: waiting } = dashboard;
  const live = useConnectionState() === "connected";
  const [samples, setSamples] = useState<readonly Sample[]>([]);

  useEffect(() => {
    const record = () => {
      const at = Date.now() / 1000;
      const sample = live ? { connections, running, waiting } : UNKNOWN;
      setSamples((now) => [...now.slice(1 - MAX_SAMPLES), { at, ...sample }]);
    };
    record();
    const timer = setInterval(record, SAMPLE_MS);
    return () => clearInterval(timer);
  }, [connections, running, waiting, live]);

  return samples;
}

const SAMPLE_MS = 2_000;

const UNKNOWN = { connections: null, running: null, waiting: null };
