"use client";

import { BellOff } from "lucide-react";
import Link from "next/link";

import { Empty } from "@/components/ui/empty";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { SkeletonRows } from "@/components/ui/skeleton";
import type { Notification } from "@/lib/api/types";
import { cn } from "@/lib/cn";

import { useMarkRead, useNotifications } from "../api/notifications";
import { targetOf } from "../target";

export function NotificationList({ onFollow }: { onFollow?: () => void }) {
  return (
    <QueryState query={useNotifications()} loading={<SkeletonRows rows={3} />}>
      {({ items }) => <NotificationItems items={items} onFollow={onFollow} />}
    </QueryState>
  );
}

/** Notices, each of which leads to what it is about, and is read then. */
export function NotificationItems({
  items,
  onFollow,
}: {
  items: readonly Notification[];
  onFollow?: () => void;
}) {
  const markRead = useMarkRead();
  if (items.length === 0) {
    return (
      <Empty icon={BellOff} title="Nothing new" className="py-10">
        Order updates and messages show up here by themselves.
      </Empty>
    );
  }
  return (
    <ul className="divide-y">
      {items.map((item) => {
        const target = targetOf(item);
        const open = () => {
          if (!item.read_at) markRead.mutate(item.id);
          if (target) onFollow?.();
        };
        const content = (
          <>
            <span
              aria-hidden
              className={cn(
                "mt-1.5 size-2 shrink-0 rounded-full",
                item.read_at ? "bg-transparent" : "bg-primary",
              )}
            />
            <span className="min-w-0 flex-1 text-left">
              <span className="block text-sm font-medium">
                {item.read_at ? null : <span className="sr-only">Unread: </span>}
                {item.title}
              </span>
              <span className="block text-sm break-words text-muted-foreground">{item.body}</span>
              <span className="mt-0.5 block text-xs text-muted-foreground">
                <RelativeTime at={item.created_at} />
              </span>
            </span>
          </>
        );
        const className =
          "flex w-full gap-3 px-4 py-3 transition-colors hover:bg-muted focus-visible:-outline-offset-2";
        return (
          <li key={item.id}>
            {target ? (
              <Link href={target} onClick={open} className={className}>
                {content}
              </Link>
            ) : (
              <button type="button" onClick={open} className={className}>
                {content}
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
