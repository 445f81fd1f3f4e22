"use client";

import type { LucideIcon } from "lucide-react";
import { useEffect, useRef } from "react";

import { LiveDot } from "@/components/ui/live-dot";

interface FigureProps {
  label: string;
  value: string;
  icon: LucideIcon;
  detail?: string;
  /** Whether it moves by itself now; left out where it never does. */
  live?: boolean;
}

/** One number. It flashes briefly when it changes under one's eyes. */
export function Figure({ label, value, icon: Icon, detail, live }: FigureProps) {
  const number = useRef<HTMLElement>(null);
  const before = useRef(value);
  useEffect(() => {
    if (before.current === value) return;
    before.current = value;
    number.current?.animate?.([{ color: "var(--live)" }, {}], { duration: 1200, easing: "ease-out" });
  }, [value]);
  return (
    <div className="rounded-lg border bg-card p-4 shadow-card sm:p-5">
      <dt className="flex items-center gap-2 text-sm text-muted-foreground">
        <Icon aria-hidden className="size-4" />
        {label}
        {live === undefined ? null : <LiveDot active={live} className="ml-auto" />}
      </dt>
      <dd
        ref={number}
        data-testid={`figure-${label.toLowerCase().replaceAll(" ", "-")}`}
        className="mt-2 text-2xl font-semibold tracking-tight tabular-nums sm:text-3xl"
      >
        {value}
      </dd>
      {detail ? <dd className="mt-1 text-xs text-muted-foreground">{detail}</dd> : null}
    </div>
  );
}
