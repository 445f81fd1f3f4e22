import { cn } from "@/lib/cn";

/** A mobula ray from above: two wings, two horns, one tail. */
export function LogoMark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden className={cn("size-7", className)} fill="none">
      <path
        d="M13.2 6.2c.5 1.7 1.3 2.5 2.8 2.5s2.3-.8 2.8-2.5c.9 1 1.5 2.1 1.7 3.4 3.4 1.5 6.9 4.4 9.9 8.7-4.2-1-7.7-.6-10.3 1.3-1.6 1.2-2.6 2.3-3.3 3.6L16 30l-.8-6.8c-.7-1.3-1.7-2.4-3.3-3.6-2.6-1.9-6.1-2.3-10.3-1.3 3-4.3 6.5-7.2 9.9-8.7.2-1.3.8-2.4 1.7-3.4Z"
        fill="currentColor"
      />
    </svg>
  );
}

export function Logo({ className }: { className?: string }) {
  return (
    <span className={cn("inline-flex items-center gap-2 text-lg font-semibold tracking-tight", className)}>
      <LogoMark className="text-primary" />
      Mobula
    </span>
  );
}
