"use client";

import { Dialog as BaseDialog } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import type { ReactNode } from "react";

import { cn } from "@/lib/cn";

import { buttonVariants } from "./button";
import { backdropClass } from "./dialog";

export const Drawer = BaseDialog.Root;
export const DrawerTrigger = BaseDialog.Trigger;
export const DrawerClose = BaseDialog.Close;

interface DrawerContentProps {
  title: string;
  children: ReactNode;
  footer?: ReactNode;
  side?: "left" | "right";
  className?: string;
}

/** A modal panel at the edge of the screen. */
export function DrawerContent({ title, children, footer, side = "right", className }: DrawerContentProps) {
  return (
    <BaseDialog.Portal>
      <BaseDialog.Backdrop className={backdropClass} />
      <BaseDialog.Popup
        data-slot="drawer"
        className={cn(
          "fixed inset-y-0 z-50 flex w-full max-w-[min(26rem,calc(100vw-2rem))] flex-col bg-popover shadow-float transition-transform duration-300 ease-[cubic-bezier(0.32,0.72,0,1)] outline-none",
          side === "right"
            ? "right-0 border-l data-ending-style:translate-x-full data-starting-style:translate-x-full"
            : "left-0 border-r data-ending-style:-translate-x-full data-starting-style:-translate-x-full",
          className,
        )}
      >
        <header className="flex items-center justify-between gap-4 border-b px-5 py-3.5">
          <BaseDialog.Title className="text-base font-semibold">{title}</BaseDialog.Title>
          <BaseDialog.Close
            aria-label="Close"
            className={cn(buttonVariants({ variant: "ghost", size: "icon" }), "size-8")}
          >
            <X aria-hidden />
          </BaseDialog.Close>
        </header>
        <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">{children}</div>
        {footer ? <footer className="border-t p-5">{footer}</footer> : null}
      </BaseDialog.Popup>
    </BaseDialog.Portal>
  );
}
