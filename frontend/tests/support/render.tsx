import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import { NuqsTestingAdapter, type OnUrlUpdateFunction } from "nuqs/adapters/testing";
import type { ReactNode } from "react";

import { Toaster } from "@/components/ui/toast";
import { createQueryClient } from "@/lib/api/query-client";
import type { CurrentUser } from "@/lib/api/types";
import { CurrentUserProvider } from "@/lib/current-user";
import { RealtimeProvider } from "@/lib/realtime/provider";

import { currentUser } from "./fixtures";
import { fakeConnection } from "./realtime";

/** Renders as the app does: with a person, a cache, a socket (the test's), and a place for toasts. */
export function renderApp(
  ui: ReactNode,
  {
    user = currentUser(),
    search = "",
    onUrl,
  }: { user?: CurrentUser; search?: string; onUrl?: OnUrlUpdateFunction } = {},
) {
  const queryClient = createQueryClient();
  const { mutations } = queryClient.getDefaultOptions();
  queryClient.setDefaultOptions({ mutations, queries: { retry: false } });
  const { client, connection } = fakeConnection();
  const view = render(
    <NuqsTestingAdapter searchParams={search} onUrlUpdate={onUrl} hasMemory>
      <QueryClientProvider client={queryClient}>
        <CurrentUserProvider user={user}>
          <RealtimeProvider connection={connection}>
            <Toaster>{ui}</Toaster>
          </RealtimeProvider>
        </CurrentUserProvider>
      </QueryClientProvider>
    </NuqsTestingAdapter>,
  );
  return { view, client, connection, queryClient };
}
