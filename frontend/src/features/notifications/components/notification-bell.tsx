"use client";

import { Bell } from "lucide-react";
import Link from "next/link";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Popover, PopoverContent, PopoverTitle, PopoverTrigger } from "@/components/ui/popover";
import type { Notification } from "@/lib/api/types";

import { useNotifications } from "../api/notifications";
import { useLiveNotifications } from "../hooks/use-live-notifications";
import { NotificationList } from "./notification-list";

interface NotificationBellProps {
  /** What arrives concerns other features, too; they are told where all of them are known. */
  onNotification?: (notification: Notification) => void;
}

export function NotificationBell({ onNotification }: NotificationBellProps) {
  useLiveNotifications(onNotification);
  const [open, setOpen] = useState(false);
  const unread = useNotifications().data?.unread ?? 0;
  return (
    <Popover open={open} onOpenChange={setOpen}>
      <PopoverTrigger
        render={
          <Button
            variant="ghost"
            size="icon"
            className="relative"
            aria-label={unread > 0 ? `Notifications, ${unread} unread` : "Notifications"}
          >
            <Bell aria-hidden />
            {unread > 0 ? (
              <span
                aria-hidden
                className="absolute top-1 right-1 flex h-4 min-w-4 items-center justify-center rounded-full bg-danger px-1 text-[0.625rem] font-semibold text-white dark:text-[oklch(0.2_0.03_20)]"
              >
                {unread > 99 ? "99+" : unread}
              </span>
            ) : null}
          </Button>
        }
      />
      <PopoverContent>
        <PopoverTitle className="border-b px-4 py-3 text-sm font-semibold">Notifications</PopoverTitle>
        <div className="max-h-[min(28rem,70dvh)] overflow-y-auto">
          <NotificationList onFollow={() => setOpen(false)} />
        </div>
        <div className="border-t px-4 py-2.5">
          <Link
            href="/notifications"
            onClick={() => setOpen(false)}
            className="rounded-sm text-sm font-medium text-primary hover:underline"
          >
            All notifications
          </Link>
        </div>
      </PopoverContent>
    </Popover>
  );
}
