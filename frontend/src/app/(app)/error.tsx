"use client";

import { ErrorState } from "@/components/ui/error-state";

/** A page that crashes takes neither the way to the others with it, nor the socket. */
export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  return <ErrorState title="This page stopped working" error={error} onRetry={reset} />;
}
