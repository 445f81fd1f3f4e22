"use client";

import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import { useAppliedTheme } from "@/lib/hooks/use-applied-theme";

import type { Sample } from "../hooks/use-live-dashboard";

const HEIGHT = 220;

/** Shown from the start, so that a young line does not jump across the whole width. */
const SPAN_S = 60;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(width: number): uPlot.Options {
  const text = colour("--muted-foreground");
  const grid = { stroke: colour("--border"), width: 1 };
  const ticks = { show: false };
  const font = "12px ui-sans-serif, system-ui, sans-serif";
  const line = (label: string, name: string, fill = false): uPlot.Series => ({
    label,
    stroke: colour(name),
    fill: fill ? `color-mix(in oklab, ${colour(name)} 12%, transparent)` : undefined,
    width: 2,
    points: { show: false },
    paths: uPlot.paths.stepped?.({ align: 1 }),
  });
  return {
    width,
    height: HEIGHT,
    padding: [8, 28, 0, 0], // Half of the last label stands out to the right.
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: {
      x: {
        range: ({ data: [times] }) => {
          const last = times.at(-1) ?? Date.now() / 1000;
          return [Math.min(times[0] ?? last, last - SPAN_S), last];
        },
      },
      y: { range: (_, __, max) => [0, Math.max(5, Math.ceil(max * 1.15))] },
    },
    axes: [
      {
        stroke: text,
        grid: { show: false },
        ticks,
        font,
        space: 90,
        size: 30,
        values: (_, at) => at.map(clock),
      },
      {
        stroke: text,
        grid,
        ticks,
        font,
        size: 36,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000],
      },
    ],
    series: [
      {},
      line("Connections", "--live", true),
      line("Jobs running", "--primary"),
      line("Jobs waiting", "--warning"),
    ],
  };
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}

function toData(samples: readonly Sample[]): uPlot.AlignedData {
  return [
    samples.map(({ at }) => at),
    samples.map(({ connections }) => connections),
    samples.map(({ running }) => running),
    samples.map(({ waiting }) => waiting),
  ];
}

export default function LiveChart({ samples }: { samples: readonly Sample[] }) {
  const container = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(samples);
  const theme = useAppliedTheme();

  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const plot = new uPlot(options(element.clientWidth), toData(latest.current), element);
    chart.current = plot;
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
      chart.current = null;
    };
  }, [theme]); // Canvas colours are fixed when it is made.

  useEffect(() => {
    latest.current = samples;
    chart.current?.setData(toData(samples));
  }, [samples]);

  const last = samples.at(-1);
  return (
    <div
      ref={container}
      role="img"
      aria-label={`Live chart. Now: ${last?.connections ?? "unknown"} connections, ${last?.running ?? 0} jobs running, ${last?.waiting ?? 0} waiting.`}
      style={{ height: HEIGHT }}
      className="overflow-hidden"
    />
  );
}
