"use client";

import { KeyRound } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardHeader, CardTitle } from "@/components/ui/card";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { Empty } from "@/components/ui/empty";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { SkeletonRows } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { ApiKey } from "@/lib/api/types";
import { formatDateTime } from "@/lib/format";

import { useApiKeys, useRevokeApiKey } from "../api/api-keys";
import { CreateApiKeyDialog } from "./create-api-key-dialog";

export function ApiKeys() {
  return (
    <Card className="max-w-3xl">
      <CardHeader>
        <CardTitle>API keys</CardTitle>
        <CreateApiKeyDialog />
      </CardHeader>
      <QueryState query={useApiKeys()} loading={<SkeletonRows rows={2} />}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon={KeyRound} title="No API keys">
              A key lets a program act for you, within the scopes you give it.
            </Empty>
          ) : (
            <ul aria-label="API keys" className="divide-y border-t">
              {items.map((key) => (
                <KeyRow key={key.id} apiKey={key} />
              ))}
            </ul>
          )
        }
      </QueryState>
    </Card>
  );
}

function KeyRow({ apiKey }: { apiKey: ApiKey }) {
  const revoke = useRevokeApiKey();
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-3 px-5 py-4">
      <div className="min-w-0 flex-1">
        <p className="text-sm font-medium">
          {apiKey.name} <code className="ml-2 font-mono text-xs text-muted-foreground">{apiKey.prefix}…</code>
        </p>
        <p className="mt-0.5 text-xs text-muted-foreground">
          {apiKey.last_used_at ? (
            <>
              Last used <RelativeTime at={apiKey.last_used_at} />
            </>
          ) : (
            "Never used"
          )}{" "}
          · {apiKey.expires_at ? `expires ${formatDateTime(apiKey.expires_at)}` : "never expires"}
        </p>
        <p className="mt-2 flex flex-wrap gap-1.5">
          {apiKey.scopes.map((scope) => (
            <Badge key={scope} className="font-mono font-normal">
              {scope}
            </Badge>
          ))}
        </p>
      </div>
      <ConfirmDialog
        trigger={
          <Button variant="secondary" size="sm" aria-label={`Revoke ${apiKey.name}`}>
            Revoke
          </Button>
        }
        title={`Revoke ${apiKey.name}?`}
        description="Programs that use it are refused from now on. This cannot be undone."
        action="Revoke key"
        onConfirm={() =>
          revoke.mutateAsync(apiKey.id, {
            onSuccess: () => toast.success("The key is revoked"),
            onError: (error) => toast.error("The key was not revoked", error),
          })
        }
      />
    </li>
  );
}
