"use client";

import { useQueryClient } from "@tanstack/react-query";

import { useCurrentUser } from "@/lib/current-user";
import { channels, type ExportProgressEvent } from "@/lib/realtime/events";
import { useChannel } from "@/lib/realtime/hooks";
import { mergePushed, refetchMissed } from "@/lib/realtime/pushed";

import { type ExportPage, exportsKey, withProgress } from "../api/exports";

/** Moves the progress bars. The end of an export is fetched, since that is when files and links appear. */
export function useLiveExports(): void {
  const user = useCurrentUser();
  const queryClient = useQueryClient();
  useChannel<ExportProgressEvent>(
    channels.exports(user.id),
    (event) => {
      if (event.type !== "export.progress") return;
      for (const { queryKey } of queryClient.getQueryCache().findAll({ queryKey: exportsKey }))
        mergePushed<ExportPage>(queryClient, queryKey, (page) => withProgress(page, event));
      if (event.state !== "running" && event.state !== "queued") {
        refetchMissed(queryClient, ["exports"]);
      }
    },
    { onSync: () => refetchMissed(queryClient, ["exports"]) },
  );
}
