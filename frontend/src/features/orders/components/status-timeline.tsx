"use client";

import { Check, CircleDot, X } from "lucide-react";

import type { Order } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { formatClockSeconds, formatDay } from "@/lib/format";

import { isFinal, STATUS, STEPS } from "../status";

/** Where the order has been, where it is, and what is still to come. */
export function StatusTimeline({ order }: { order: Order }) {
  const reached = new Map(order.history.map((entry) => [entry.status, entry]));
  const cancelled = reached.get("cancelled");
  const steps = cancelled ? [...STEPS.filter((step) => reached.has(step)), "cancelled" as const] : STEPS;
  return (
    <>
      <p className="sr-only" role="status" aria-live="polite">
        Order {order.order_number}: {STATUS[order.status].label}
      </p>
      <ol aria-label="Order status" className="relative">
        {steps.map((step, index) => {
          const entry = reached.get(step);
          const current = step === order.status;
          const last = index === steps.length - 1;
          return (
            <li
              key={step}
              aria-current={current ? "step" : undefined}
              data-testid={`step-${step}`}
              data-reached={entry !== undefined}
              className="relative flex gap-4 pb-7 last:pb-0"
            >
              {last ? null : (
                <span
                  aria-hidden
                  className={cn(
                    "absolute top-7 bottom-0 left-[0.8125rem] w-0.5 origin-top transition-colors duration-500",
                    entry && !current ? "bg-primary" : "bg-border",
                  )}
                />
              )}
              <Marker
                reached={entry !== undefined}
                current={current && !isFinal(step)}
                cancelled={step === "cancelled"}
              />
              <div className="min-w-0 pt-0.5">
                <p
                  className={cn(
                    "text-sm transition-colors duration-500",
                    entry ? "font-semibold" : "text-muted-foreground",
                    current && "text-primary",
                  )}
                >
                  {STATUS[step].label}
                </p>
                {entry ? (
                  <p className="text-sm text-muted-foreground">{entry.reason || STATUS[step].explained}</p>
                ) : null}
                {entry ? (
                  <time dateTime={entry.at} className="text-xs text-muted-foreground tabular-nums">
                    {formatDay(entry.at)}, {formatClockSeconds(entry.at)}
                  </time>
                ) : null}
              </div>
            </li>
          );
        })}
      </ol>
    </>
  );
}

function Marker({ reached, current, cancelled }: { reached: boolean; current: boolean; cancelled: boolean }) {
  const Icon = cancelled ? X : current ? CircleDot : Check;
  return (
    <span
      aria-hidden
      className={cn(
        "relative flex size-7 shrink-0 items-center justify-center rounded-full border-2 transition-colors duration-500",
        !reached && "border-border bg-card",
        reached && !cancelled && "border-primary bg-primary text-primary-foreground",
        cancelled && "border-danger bg-danger-soft text-danger",
        current && "animate-live",
      )}
    >
      {reached ? <Icon className="size-3.5" strokeWidth={3} /> : null}
    </span>
  );
}
