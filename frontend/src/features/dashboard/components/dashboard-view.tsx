"use client";

import { Banknote, Cable, ListChecks, PackageMinus, ShoppingBag } from "lucide-react";
import dynamic from "next/dynamic";
import Link from "next/link";
import type { ReactNode } from "react";

import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { LiveDot } from "@/components/ui/live-dot";
import { QueryState } from "@/components/ui/query-state";
import { Loading, Skeleton } from "@/components/ui/skeleton";
import type { Dashboard, OrderSummary } from "@/lib/api/types";
import { formatCompact, formatInteger, formatMoney } from "@/lib/format";
import { useConnectionState } from "@/lib/realtime/hooks";

import { useDashboard } from "../api/dashboard";
import { useLiveFigures, useSamples } from "../hooks/use-live-dashboard";
import { Figure } from "./figure";
import { StatusBars } from "./status-bars";

const LiveChart = dynamic(() => import("./live-chart"), {
  ssr: false,
  loading: () => <Skeleton className="h-55" />,
});

interface DashboardViewProps {
  /** Orders are another feature's to draw. */
  recentOrders: (orders: readonly OrderSummary[]) => ReactNode;
}

export function DashboardView({ recentOrders }: DashboardViewProps) {
  const dashboard = useDashboard();
  useLiveFigures(dashboard.data);
  return (
    <QueryState
      query={dashboard}
      loading={
        <Loading label="Loading the dashboard">
          <div className="grid grid-cols-2 gap-3 sm:gap-4 xl:grid-cols-4">
            {Array.from({ length: 4 }, (_, index) => (
              <Skeleton key={index} className="h-32 rounded-lg" />
            ))}
          </div>
          <Skeleton className="mt-6 h-72 rounded-lg" />
        </Loading>
      }
    >
      {(found) => <Loaded dashboard={found} recentOrders={recentOrders} />}
    </QueryState>
  );
}

function Loaded({ dashboard, recentOrders }: { dashboard: Dashboard } & DashboardViewProps) {
  const samples = useSamples(dashboard);
  const live = useConnectionState() === "connected";
  const whose = dashboard.scope === "all" ? "in the whole shop" : "yours";
  return (
    <div className="space-y-6">
      <dl className="grid grid-cols-2 gap-3 sm:gap-4 xl:grid-cols-4">
        <Figure
          label="Orders today"
          value={formatInteger(dashboard.orders_today)}
          icon={ShoppingBag}
          detail={`${formatCompact(dashboard.orders_total)} in all, ${whose}`}
        />
        <Figure
          label="Revenue today"
          value={formatMoney(dashboard.revenue_today, dashboard.currency)}
          icon={Banknote}
          detail={`${formatInteger(dashboard.orders_open)} ${dashboard.orders_open === 1 ? "order" : "orders"} open`}
        />
        <Figure
          label="Connections"
          value={dashboard.connections === null ? "–" : formatInteger(dashboard.connections)}
          icon={Cable}
          detail="Sockets open right now"
          live={live}
        />
        <Figure
          label="Jobs running"
          value={formatInteger(dashboard.jobs_running)}
          icon={ListChecks}
          detail={`${formatInteger(dashboard.jobs_waiting)} waiting`}
          live={live}
        />
      </dl>
      <div className="grid grid-cols-1 gap-6 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <Card className="min-w-0">
          <CardHeader>
            <CardTitle className="flex items-center gap-2.5">
              <LiveDot active={live} /> {live ? "Live" : "Not live"}
            </CardTitle>
            <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted-foreground">
              <Key colour="bg-live" label="Connections" />
              <Key colour="bg-primary" label="Jobs running" />
              <Key colour="bg-warning" label="Jobs waiting" />
            </ul>
          </CardHeader>
          <CardBody className="px-3">
            <LiveChart samples={samples} />
          </CardBody>
        </Card>
        <Card>
          <CardHeader>
            <CardTitle>Orders by status</CardTitle>
          </CardHeader>
          <CardBody>
            <StatusBars counts={dashboard.orders_by_status} />
            {dashboard.scope === "all" && dashboard.products_low > 0 ? (
              <Link
                href="/catalogue?low=true"
                className="mt-4 inline-flex items-center gap-2 rounded-sm text-sm font-medium text-warning hover:underline"
              >
                <PackageMinus aria-hidden className="size-4" />
                {formatInteger(dashboard.products_low)}{" "}
                {dashboard.products_low === 1 ? "product is" : "products are"} low in stock
              </Link>
            ) : null}
          </CardBody>
        </Card>
      </div>
      <Card>
        <CardHeader>
          <CardTitle>Recent orders</CardTitle>
        </CardHeader>
        {recentOrders(dashboard.recent_orders)}
      </Card>
    </div>
  );
}

function Key({ colour, label }: { colour: string; label: string }) {
  return (
    <li className="flex items-center gap-1.5">
      <span aria-hidden className={`h-0.5 w-3.5 rounded-full ${colour}`} />
      {label}
    </li>
  );
}
