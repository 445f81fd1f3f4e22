import { cn } from "@/lib/cn";

/** The mark of what changes by itself while you look at it. */
export function LiveDot({ active = true, className }: { active?: boolean; className?: string }) {
  return (
    <span
      aria-hidden
      className={cn(
        "inline-block size-2 rounded-full",
        active ? "animate-live bg-live" : "bg-muted-foreground/50",
        className,
      )}
    />
  );
}
