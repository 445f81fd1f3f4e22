"use client";

import { useEffect } from "react";

/**
 * Names the page after what it shows, once that is known: tabs, history and bookmarks say which order it was. The next
 * page puts its own title there.
 */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Mobula`;
  }, [title]);
}
