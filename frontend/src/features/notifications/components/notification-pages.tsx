"use client";

import { BellOff, CheckCheck } from "lucide-react";
import { parseAsBoolean, parseAsString, useQueryStates } from "nuqs";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { CursorPagination, noSuchPage } from "@/components/ui/pagination";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { cn } from "@/lib/cn";

import { useMarkAllRead, useNotificationPage } from "../api/notifications";
import { NotificationItems } from "./notification-list";

/** Everything that one was ever told, page by page. New ones arrive by themselves: the bell hears of them. */
export function NotificationPages() {
  const [{ unread, cursor }, set] = useQueryStates(
    { unread: parseAsBoolean.withDefault(false), cursor: parseAsString.withDefault("") },
    { history: "push" },
  );
  const notifications = useNotificationPage({ unread, cursor });
  const markAll = useMarkAllRead();
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap justify-between gap-3">
        <Button
          variant={unread ? "soft" : "secondary"}
          aria-pressed={unread}
          onClick={() => void set({ unread: !unread || null, cursor: null })}
        >
          Unread only
        </Button>
        <Button
          variant="secondary"
          pending={markAll.isPending}
          onClick={() =>
            markAll.mutate(undefined, {
              onSuccess: () => toast.success("All notifications are read"),
              onError: (error) => toast.error("They were not marked as read", error),
            })
          }
        >
          {markAll.isPending ? null : <CheckCheck aria-hidden />} Mark all as read
        </Button>
      </div>
      <Card className={cn("transition-opacity", notifications.isPlaceholderData && "opacity-60")}>
        <QueryState
          query={notifications}
          loading={<SkeletonRows />}
          failed={noSuchPage(() => void set({ cursor: null }))}
        >
          {({ items }) =>
            items.length === 0 && unread ? (
              <Empty icon={BellOff} title="You have read everything">
                What is new shows up here by itself.
              </Empty>
            ) : (
              <NotificationItems items={items} />
            )
          }
        </QueryState>
      </Card>
      {notifications.data ? (
        <CursorPagination
          next={notifications.data.next}
          prev={notifications.data.prev}
          onPage={(next) => void set({ cursor: next })}
        />
      ) : null}
    </div>
  );
}
