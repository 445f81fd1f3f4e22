"use client";

import { Layers, TriangleAlert } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { QueryState } from "@/components/ui/query-state";
import { LoadingCard } from "@/components/ui/skeleton";
import type { RealtimeRules } from "@/lib/api/types";
import { count } from "@/lib/format";

import { useNamespaces } from "../api/rules";
import { SilentNotice } from "./silent-notice";

/** The rules of channels as they are in force; they are changed in the file of namespaces. */
export function NamespaceList() {
  return (
    <QueryState query={useNamespaces()} loading={<LoadingCard />}>
      {({ items, silent }) => (
        <div className="space-y-4">
          <SilentNotice silent={silent} />
          {items.length === 0 ? (
            <Card>
              <Empty icon={Layers} title="No realtime process answers">
                Namespaces are shown as the processes have them.
              </Empty>
            </Card>
          ) : null}
          {items.map((found) => (
            <Rules key={`${found.version} ${found.mistakes.join()}`} rules={found} />
          ))}
        </div>
      )}
    </QueryState>
  );
}

function Rules({ rules }: { rules: RealtimeRules }) {
  return (
    <Card>
      <CardHeader>
        <CardTitle>
          Version <code className="font-mono text-sm">{rules.version}</code>
        </CardTitle>
        <p className="text-sm text-muted-foreground">
          in force in {rules.nodes.length === 1 ? "one process" : `${rules.nodes.length} processes`} ·{" "}
          {count(rules.items.length, "namespace")}
        </p>
      </CardHeader>
      <CardBody className="space-y-4">
        {rules.mistakes.length > 0 ? (
          <div role="alert" className="rounded-md bg-danger-soft px-3 py-2.5 text-sm text-danger">
            <p className="flex items-center gap-2 font-medium">
              <TriangleAlert aria-hidden className="size-4" /> The newest file is not in force
            </p>
            <ul className="mt-1 font-mono text-xs">
              {rules.mistakes.map((mistake) => (
                <li key={mistake}>{mistake}</li>
              ))}
            </ul>
          </div>
        ) : null}
        <ul aria-label="Namespaces" className="grid gap-3 md:grid-cols-2">
          {rules.items.map(({ name, options }) => (
            <li key={name} className="rounded-md border p-3.5">
              <h3 className="font-mono text-sm font-semibold">{name}</h3>
              <Options options={options} />
            </li>
          ))}
        </ul>
      </CardBody>
    </Card>
  );
}

/** What is on as a badge, what has a value with it, a group of options below its name. */
function Options({ options }: { options: Record<string, unknown> }) {
  const entries = Object.entries(options);
  const on = entries.filter(([, value]) => value === true);
  const groups = entries.filter(([, value]) => isGroup(value));
  const values = entries.filter(([, value]) => value !== true && !isGroup(value));
  if (entries.length === 0) return <p className="mt-2 text-xs text-muted-foreground">Everything is off.</p>;
  return (
    <div className="mt-2 space-y-2">
      {on.length > 0 ? (
        <p className="flex flex-wrap gap-1">
          {on.map(([option]) => (
            <Badge key={option} tone={option === "durable" ? "primary" : "neutral"} className="font-normal">
              {option}
            </Badge>
          ))}
        </p>
      ) : null}
      {values.length > 0 ? (
        <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-0.5 text-xs">
          {values.map(([option, value]) => (
            <div key={option} className="contents">
              <dt className="text-muted-foreground">{option}</dt>
              <dd className="font-mono break-all">
                {Array.isArray(value) ? value.join(", ") : String(value)}
              </dd>
            </div>
          ))}
        </dl>
      ) : null}
      {groups.map(([option, value]) => (
        <div key={option} className="border-l-2 pl-3">
          <p className="text-xs font-medium">{option}</p>
          <Options options={value as Record<string, unknown>} />
        </div>
      ))}
    </div>
  );
}

const isGroup = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);
