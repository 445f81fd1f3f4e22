"use client";

import { useRef } from "react";

import { newId } from "@/lib/new-id";

/**
 * The key under which a form sends what is in it: the same for every attempt with the same content, so that one whose
 * answer was lost is answered with what it did, and another once it was done or the content is another.
 */
export function useIdempotencyKey() {
  const last = useRef<{ content: string; key: string } | null>(null);
  return {
    keyOf: (body: unknown): string => {
      const content = JSON.stringify(body);
      if (last.current?.content !== content) last.current = { content, key: newId() };
      return last.current.key;
    },
    done: () => {
      last.current = null;
    },
  };
}
