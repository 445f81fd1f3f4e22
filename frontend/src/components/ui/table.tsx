import type { ComponentProps } from "react";

import { cn } from "@/lib/cn";

export function Table({ className, label, ...props }: ComponentProps<"table"> & { label: string }) {
  return (
    // Wide tables scroll by themselves; the region is focusable so that a keyboard can do it too.
    <div
      role="region"
      aria-label={label}
      tabIndex={0}
      className="overflow-x-auto focus-visible:-outline-offset-2"
    >
      <table data-slot="table" className={cn("w-full text-sm", className)} {...props} />
    </div>
  );
}

export function Th({ className, ...props }: ComponentProps<"th">) {
  return (
    <th
      scope="col"
      className={cn(
        "border-b px-5 py-2.5 text-left text-xs font-medium whitespace-nowrap text-muted-foreground max-sm:px-3 max-sm:first:pl-5 max-sm:last:pr-5",
        className,
      )}
      {...props}
    />
  );
}

export function Tr({ className, ...props }: ComponentProps<"tr">) {
  return (
    <tr className={cn("border-b transition-colors last:border-0 hover:bg-muted/50", className)} {...props} />
  );
}

export function Td({ className, ...props }: ComponentProps<"td">) {
  return (
    <td
      className={cn("px-5 py-3 align-middle max-sm:px-3 max-sm:first:pl-5 max-sm:last:pr-5", className)}
      {...props}
    />
  );
}
