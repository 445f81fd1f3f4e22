"use client";

import { useEffect, useEffectEvent, useRef } from "react";

import type { Message } from "@/lib/api/types";

import { useMarkConversationRead } from "../api/messages";

/** Marks the newest message as read once it has been on a visible page. */
export function useReadMarker(conversationId: string, newest: Message | undefined): void {
  const { mutate } = useMarkConversationRead(conversationId);
  const marked = useRef<string | null>(null);
  const newestId = newest?.id;

  const mark = useEffectEvent(() => {
    if (!newestId || marked.current === newestId || document.visibilityState !== "visible") return;
    marked.current = newestId;
    mutate(newestId, {
      onError: () => {
        marked.current = null;
      },
    });
  });

  useEffect(() => {
    mark();
    const onVisible = () => mark();
    document.addEventListener("visibilitychange", onVisible);
    return () => document.removeEventListener("visibilitychange", onVisible);
  }, [newestId]);
}
