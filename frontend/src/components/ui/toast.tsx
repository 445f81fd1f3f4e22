"use client";

import { Toast } from "@base-ui/react/toast";
import { CircleAlert, CircleCheck, Info, X } from "lucide-react";
import type { ReactNode } from "react";

import { ApiError, messageOf } from "@/lib/api/problem";

const manager = Toast.createToastManager();

const ICONS = {
  success: <CircleCheck aria-hidden className="size-5 text-success" />,
  error: <CircleAlert aria-hidden className="size-5 text-danger" />,
  info: <Info aria-hidden className="size-5 text-primary" />,
} as const;

/** Tells something in passing. Errors are read out at once, the rest when there is time. */
export const toast = {
  success: (title: string, description?: string) => manager.add({ title, description, type: "success" }),
  info: (title: string, description?: string) => manager.add({ title, description, type: "info" }),
  error: (title: string, error: unknown) =>
    manager.add({
      title,
      description:
        error instanceof ApiError && error.requestId
          ? `${messageOf(error)} (request ${error.requestId})`
          : messageOf(error),
      type: "error",
      priority: "high",
      timeout: 10_000,
    }),
};

export function Toaster({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} limit={4}>
      {children}
      <Toast.Portal>
        <Toast.Viewport
          data-slot="toasts"
          className="fixed right-4 bottom-4 left-4 z-[60] sm:left-auto sm:w-88"
        >
          <ToastList />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function ToastList() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((item) => (
    <Toast.Root
      key={item.id}
      toast={item}
      data-slot="toast"
      // Base UI hides errors, which it reads out elsewhere, and every button from screen readers until the keyboard is in
      // the list, and leaves them where Tab goes. Ours are always there; what an alert has said is just not said twice.
      aria-hidden={false}
      aria-live={item.priority === "high" ? "off" : undefined}
      className="absolute right-0 bottom-0 left-0 z-[calc(1000-var(--toast-index))] origin-bottom rounded-lg border bg-popover shadow-float transition-[transform,opacity] duration-300 [transform:translateX(var(--toast-swipe-movement-x))_translateY(calc(var(--toast-swipe-movement-y)-var(--toast-index)*0.6rem))_scale(calc(1-var(--toast-index)*0.05))] after:absolute after:top-full after:left-0 after:h-3 after:w-full data-ending-style:opacity-0 data-expanded:[transform:translateX(var(--toast-swipe-movement-x))_translateY(calc(var(--toast-offset-y)*-1-var(--toast-index)*0.6rem+var(--toast-swipe-movement-y)))] data-limited:opacity-0 data-starting-style:[transform:translateY(150%)]"
    >
      <Toast.Content className="flex items-start gap-3 p-4 transition-opacity data-behind:opacity-0 data-expanded:opacity-100">
        {ICONS[(item.type as keyof typeof ICONS | undefined) ?? "info"]}
        <div className="min-w-0 flex-1">
          {/* A paragraph: what comes and goes is no heading of the page that it lies over. */}
          <Toast.Title render={<p />} className="text-sm font-semibold" />
          <Toast.Description className="mt-0.5 text-sm break-words text-muted-foreground" />
        </div>
        <Toast.Close
          aria-label="Dismiss"
          aria-hidden={false}
          className="-m-1 rounded-sm p-1 text-muted-foreground transition-colors hover:text-foreground"
        >
          <X aria-hidden className="size-4" />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}
