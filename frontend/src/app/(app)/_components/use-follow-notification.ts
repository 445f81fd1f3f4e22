"use client";

import { useQueryClient } from "@tanstack/react-query";

import { conversationsQuery } from "@/features/conversations/api/conversations";
import type { Notification } from "@/lib/api/types";
import { refetchMissed } from "@/lib/realtime/pushed";

/** What a notification changes beside the list of notifications: somebody wrote, or began a conversation with us. */
export function useFollowNotification(): (notification: Notification) => void {
  const queryClient = useQueryClient();
  return ({ data }) => {
    if (typeof data.conversation_id === "string") refetchMissed(queryClient, conversationsQuery.queryKey);
  };
}
