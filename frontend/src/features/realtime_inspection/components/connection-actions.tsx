"use client";

import { LogOut, RadioTower, Unplug } from "lucide-react";

import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { toast } from "@/components/ui/toast";
import type { RealtimeConnection } from "@/lib/api/types";
import { can, useCurrentUser } from "@/lib/current-user";

import { useCloseConnection, useRevokeUser } from "../api/connections";
import { useStartTrace } from "../api/traces";
import { nameOf } from "../summary";

const TRACE_SECONDS = 300;

interface ConnectionActionsProps {
  connection: RealtimeConnection;
  onTrace: (traceId: string) => void;
}

/** What may be done about a connection, by those who may. */
export function ConnectionActions({ connection, onTrace }: ConnectionActionsProps) {
  const me = useCurrentUser();
  const close = useCloseConnection();
  const revoke = useRevokeUser();
  const start = useStartTrace();
  if (!can(me, "realtime:admin")) return null;
  const who = nameOf(connection.info) ?? connection.user;
  return (
    <div className="flex flex-wrap justify-end gap-2">
      <Button
        variant="secondary"
        pending={start.isPending}
        onClick={() =>
          start.mutate(
            { target: "client", value: connection.client, seconds: TRACE_SECONDS },
            {
              onSuccess: (trace) => onTrace(trace.id),
              onError: (error) => toast.error("The trace did not begin", error),
            },
          )
        }
      >
        {start.isPending ? null : <RadioTower aria-hidden />} Trace
      </Button>
      <ConfirmDialog
        trigger={
          <Button variant="danger">
            <Unplug aria-hidden /> Disconnect
          </Button>
        }
        title="Disconnect this connection?"
        description="It is closed with 3503, and its client does not come back by itself. The user stays signed in."
        action="Disconnect"
        onConfirm={() =>
          close.mutateAsync(connection.client, {
            onSuccess: () => toast.success("The connection is closed"),
            onError: (error) => toast.error("The connection was not closed", error),
          })
        }
      />
      {connection.user ? (
        <ConfirmDialog
          trigger={
            <Button variant="danger">
              <LogOut aria-hidden /> Sign out everywhere
            </Button>
          }
          title={`Sign ${who} out everywhere?`}
          description={
            connection.user === me.id
              ? "That is you: every device is signed out, this one too, and live connections close."
              : "Every login session ends, tokens issued until now are void, and live connections close with 3503."
          }
          action="Sign out everywhere"
          onConfirm={() =>
            revoke.mutateAsync(connection.user, {
              onSuccess: () => toast.success(`${who} is signed out everywhere`),
              onError: (error) => toast.error("Signing out did not work", error),
            })
          }
        />
      ) : null}
    </div>
  );
}
