"use client";

import { Popover as BasePopover } from "@base-ui/react/popover";
import type { ReactNode } from "react";

import { cn } from "@/lib/cn";

export const Popover = BasePopover.Root;
export const PopoverTrigger = BasePopover.Trigger;
export const PopoverTitle = BasePopover.Title;
export const PopoverClose = BasePopover.Close;

export function PopoverContent({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <BasePopover.Portal>
      <BasePopover.Positioner
        className="z-50 max-w-[calc(100vw-1rem)]"
        sideOffset={8}
        align="end"
        collisionPadding={8}
      >
        <BasePopover.Popup
          data-slot="popover"
          className={cn(
            "w-96 max-w-full origin-(--transform-origin) overflow-hidden rounded-lg border bg-popover shadow-float outline-hidden transition-[scale,opacity] duration-100 data-ending-style:scale-98 data-ending-style:opacity-0 data-starting-style:scale-98 data-starting-style:opacity-0",
            className,
          )}
        >
          {children}
        </BasePopover.Popup>
      </BasePopover.Positioner>
    </BasePopover.Portal>
  );
}
