"use client";

import { useSyncExternalStore } from "react";

const MINUTE_MS = 60_000;

/** One clock for everything on the page that says how long ago something was; it runs while somebody looks at it. */
const watching = new Set<() => void>();
let minutes = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  minutes += 1;
  for (const onChange of watching) onChange();
}

function subscribe(onChange: () => void): () => void {
  watching.add(onChange);
  timer ??= setInterval(tick, MINUTE_MS);
  return () => {
    watching.delete(onChange);
    if (watching.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Renders again every minute. What it returns counts them, and says nothing about the time. */
export function useMinute(): number {
  return useSyncExternalStore(
    subscribe,
    () => minutes,
    () => 0,
  );
}
