"use client";

import { Drawer, DrawerContent } from "@/components/ui/drawer";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { ApiError } from "@/lib/api/problem";

import { useConnection } from "../api/connections";
import { ConnectionActions } from "./connection-actions";
import { ConnectionDetail } from "./connection-detail";
import { EndedNotice } from "./ended-notice";

interface ConnectionDrawerProps {
  client: string | null;
  onClose: () => void;
  /** A trace of this connection has begun. */
  onTrace: (traceId: string) => void;
}

/** One connection, for as long as it lives; then how it ended. */
export function ConnectionDrawer({ client, onClose, onTrace }: ConnectionDrawerProps) {
  const connection = useConnection(client);
  const gone = connection.error instanceof ApiError && connection.error.status === 404;
  const shown = gone ? undefined : connection.data;
  return (
    <Drawer open={client !== null} onOpenChange={(open) => !open && onClose()}>
      <DrawerContent
        title="Connection"
        className="max-w-[min(44rem,calc(100vw-1rem))]"
        footer={shown ? <ConnectionActions connection={shown} onTrace={onTrace} /> : null}
      >
        <QueryState
          query={connection}
          loading={<SkeletonRows />}
          failed={() => (gone && client !== null ? <EndedNotice client={client} /> : null)}
        >
          {(found) => <ConnectionDetail connection={found} />}
        </QueryState>
      </DrawerContent>
    </Drawer>
  );
}
