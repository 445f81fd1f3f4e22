"use client";

import { ErrorState } from "@/components/ui/error-state";

/** What fell outside the pages of the app. */
export default function RouteError({ error, reset }: { error: Error; reset: () => void }) {
  return (
    <main id="main" className="grid min-h-dvh place-items-center">
      <ErrorState title="This page stopped working" error={error} onRetry={reset} />
    </main>
  );
}
