"use client";

import { MonitorSmartphone } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardHeader, CardTitle } from "@/components/ui/card";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { SkeletonRows } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { LoginSession } from "@/lib/api/types";
import { formatDateTime } from "@/lib/format";

import { useLoginSessions, useRevokeLoginSession } from "../api/profile";
import { useLogout } from "../api/session";
import { describeDevice } from "../device";

export function LoginSessions() {
  const logout = useLogout();
  return (
    <Card className="max-w-3xl">
      <CardHeader>
        <CardTitle>Where you are signed in</CardTitle>
        <ConfirmDialog
          trigger={
            <Button variant="secondary" size="sm">
              Sign out everywhere
            </Button>
          }
          title="Sign out everywhere?"
          description="Every device is signed out, this one too, and their live connections close."
          action="Sign out everywhere"
          onConfirm={() =>
            logout.mutateAsync(true, { onError: (error) => toast.error("Signing out did not work", error) })
          }
        />
      </CardHeader>
      <QueryState query={useLoginSessions()} loading={<SkeletonRows rows={3} />}>
        {({ items }) => (
          <ul aria-label="Sessions" className="divide-y border-t">
            {items.map((session) => (
              <SessionRow key={session.id} session={session} />
            ))}
          </ul>
        )}
      </QueryState>
    </Card>
  );
}

function SessionRow({ session }: { session: LoginSession }) {
  const revoke = useRevokeLoginSession();
  const device = describeDevice(session.user_agent);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-5 py-4">
      <MonitorSmartphone aria-hidden className="size-5 text-muted-foreground" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-2 text-sm font-medium">
          {device} {session.current ? <Badge tone="success">This device</Badge> : null}
          {session.methods.includes("passkey") ? <Badge>Passkey</Badge> : null}
          {session.methods.length > 1 ? <Badge>Two steps</Badge> : null}
        </p>
        <p className="text-xs text-muted-foreground">
          {session.ip ?? "Unknown address"} · last seen <RelativeTime at={session.last_seen_at} /> · ends{" "}
          {formatDateTime(session.expires_at)}
        </p>
      </div>
      {session.current ? null : (
        <ConfirmDialog
          trigger={
            <Button variant="secondary" size="sm" aria-label={`Revoke ${device}`}>
              Revoke
            </Button>
          }
          title={`Sign out ${device}?`}
          description="It has to sign in again, and its live connection closes."
          action="Revoke session"
          onConfirm={() =>
            revoke.mutateAsync(session.id, {
              onSuccess: () => toast.success("The session is revoked"),
              onError: (error) => toast.error("The session was not revoked", error),
            })
          }
        />
      )}
    </li>
  );
}
