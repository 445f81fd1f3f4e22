"use client";

import { RotateCw } from "lucide-react";

import { LiveDot } from "@/components/ui/live-dot";
import { cn } from "@/lib/cn";
import { useConnectionState } from "@/lib/realtime/hooks";
import { useRealtime } from "@/lib/realtime/provider";

const LABELS = {
  idle: "Connecting",
  connecting: "Connecting",
  connected: "Live",
  offline: "Offline",
} as const;

/** Whether live updates arrive. Announced politely when it changes. */
export function ConnectionIndicator() {
  const connection = useRealtime();
  const state = useConnectionState();
  return (
    <span className="flex items-center gap-1">
      <span
        role="status"
        data-testid="connection-state"
        data-state={state}
        className={cn(
          "flex h-7 items-center gap-2 rounded-full px-2.5 text-xs font-medium",
          state === "connected" && "bg-live-soft text-success",
          state === "offline" && "bg-danger-soft text-danger",
          (state === "connecting" || state === "idle") && "bg-warning-soft text-warning",
        )}
      >
        <LiveDot
          active={state === "connected"}
          className={cn(
            state === "offline" && "bg-danger",
            state === "connecting" && "animate-shimmer bg-warning",
          )}
        />
        <span className="sr-only">Connection: </span>
        {/* The narrowest phones have room for the dot only. */}
        <span className="max-[23rem]:sr-only">{LABELS[state]}</span>
      </span>
      {state === "offline" ? (
        <button
          type="button"
          onClick={() => connection.start()}
          className="flex size-7 items-center justify-center rounded-full text-muted-foreground hover:bg-muted hover:text-foreground"
          aria-label="Reconnect"
        >
          <RotateCw aria-hidden className="size-3.5" />
        </button>
      ) : null}
    </span>
  );
}
