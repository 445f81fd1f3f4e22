"use client";

import { Dialog as BaseDialog } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";

import { cn } from "@/lib/cn";

import { buttonVariants } from "./button";

export const Dialog = BaseDialog.Root;
export const DialogTrigger = BaseDialog.Trigger;
export const DialogClose = BaseDialog.Close;

export const backdropClass =
  "fixed inset-0 z-50 min-h-dvh bg-[oklch(0.15_0.03_240/0.5)] backdrop-blur-[2px] transition-opacity duration-200 data-ending-style:opacity-0 data-starting-style:opacity-0";

interface DialogContentProps extends ComponentProps<typeof BaseDialog.Popup> {
  title: string;
  description?: string;
  children: ReactNode;
}

/** A modal window: focus stays inside, Escape closes it, and it is named by its title. */
export function DialogContent({ title, description, children, className, ...props }: DialogContentProps) {
  return (
    <BaseDialog.Portal>
      {/* Also over a dialog or drawer from which it was opened. */}
      <BaseDialog.Backdrop forceRender className={backdropClass} />
      <BaseDialog.Viewport className="fixed inset-0 z-50 grid place-items-center overflow-y-auto p-4">
        <BaseDialog.Popup
          data-slot="dialog"
          className={cn(
            "relative w-full max-w-lg rounded-xl border bg-popover p-6 shadow-float transition duration-200 outline-none data-ending-style:scale-97 data-ending-style:opacity-0 data-starting-style:scale-97 data-starting-style:opacity-0",
            className,
          )}
          {...props}
        >
          <BaseDialog.Title className="pr-8 text-lg font-semibold">{title}</BaseDialog.Title>
          {description ? (
            <BaseDialog.Description className="mt-1 text-sm text-muted-foreground">
              {description}
            </BaseDialog.Description>
          ) : null}
          <div className="mt-5">{children}</div>
          <BaseDialog.Close
            aria-label="Close"
            className={cn(
              buttonVariants({ variant: "ghost", size: "icon" }),
              "absolute top-4 right-4 size-8",
            )}
          >
            <X aria-hidden />
          </BaseDialog.Close>
        </BaseDialog.Popup>
      </BaseDialog.Viewport>
    </BaseDialog.Portal>
  );
}

export function DialogFooter({ className, ...props }: ComponentProps<"div">) {
  return <div className={cn("mt-6 flex flex-wrap justify-end gap-2", className)} {...props} />;
}
