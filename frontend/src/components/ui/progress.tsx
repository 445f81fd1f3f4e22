"use client";

import { Progress as BaseProgress } from "@base-ui/react/progress";

import { cn } from "@/lib/cn";

interface ProgressProps {
  label: string;
  /** 0 to 100; null while the end is not known. */
  value: number | null;
  className?: string;
  tone?: "primary" | "success" | "danger";
}

const TONES = { primary: "bg-primary", success: "bg-success", danger: "bg-danger" };

export function Progress({ label, value, className, tone = "primary" }: ProgressProps) {
  return (
    <BaseProgress.Root
      data-slot="progress"
      value={value}
      aria-label={label}
      className={cn("w-full", className)}
    >
      <BaseProgress.Track className="h-2 overflow-hidden rounded-full bg-muted">
        <BaseProgress.Indicator
          className={cn(
            "h-full rounded-full transition-[width] duration-300 ease-out data-indeterminate:w-1/3 data-indeterminate:animate-shimmer",
            TONES[tone],
          )}
        />
      </BaseProgress.Track>
    </BaseProgress.Root>
  );
}
