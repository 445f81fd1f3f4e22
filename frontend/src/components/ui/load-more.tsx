"use client";

import { type ReactNode, useEffect, useEffectEvent, useRef } from "react";

import { Button } from "./button";
import { RetryLine } from "./query-state";
import { Spinner } from "./spinner";

/** As much of an infinite query's result as is needed to ask for its next page. */
interface Pages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  isFetchNextPageError: boolean;
  fetchStatus: string;
  error: unknown;
  fetchNextPage: (options: { cancelRefetch: false }) => unknown;
}

interface LoadMoreProps {
  query: Pages;
  /** What a failure says. */
  failed: string;
  children: ReactNode;
}

/** The next page of a list that grows, or why it did not come; nothing where the list ends. */
export function LoadMore({ query, failed, children }: LoadMoreProps) {
  // Nothing that is being asked for is given up for older things: it may be what was missed.
  const load = () => void query.fetchNextPage({ cancelRefetch: false });
  if (query.isFetchNextPageError) {
    return (
      <RetryLine
        title={failed}
        error={query.error}
        pending={query.isFetchingNextPage}
        onRetry={load}
        className="mx-0 mt-0"
      />
    );
  }
  if (!query.hasNextPage) return null;
  return (
    <WhenSeen loading={query.isFetchingNextPage} waiting={query.fetchStatus !== "idle"} onLoad={load}>
      {children}
    </WhenSeen>
  );
}

interface WhenSeenProps {
  loading: boolean;
  /** Whether anything of the list is being asked for. */
  waiting: boolean;
  onLoad: () => void;
  children: ReactNode;
}

/** Loads by itself when it scrolls into view, and again while it stays there; the button is for keyboards. */
function WhenSeen({ loading, waiting, onLoad, children }: WhenSeenProps) {
  const place = useRef<HTMLDivElement>(null);
  const load = useEffectEvent(onLoad);
  useEffect(() => {
    const element = place.current;
    if (!element || waiting) return;
    const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && load());
    observer.observe(element);
    return () => observer.disconnect();
  }, [waiting]);
  return (
    <div ref={place} className="flex justify-center pb-4">
      <Button variant="ghost" size="sm" onClick={onLoad} disabled={waiting} focusableWhenDisabled>
        {loading ? <Spinner /> : null} {children}
      </Button>
    </div>
  );
}
