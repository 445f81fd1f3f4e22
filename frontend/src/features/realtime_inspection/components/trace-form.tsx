"use client";

import { Play } from "lucide-react";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Card, CardBody } from "@/components/ui/card";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";

import { type Target, useStartTrace } from "../api/traces";

const TARGET_OPTIONS = [
  { value: "user", label: "User" },
  { value: "channel", label: "Channel" },
  { value: "client", label: "Connection" },
] as const;
const PLACEHOLDERS: Record<Target, string> = {
  user: "Username or id",
  channel: "Channel, such as room:1",
  client: "Id of the connection",
};
const DURATIONS = [
  { value: "60", label: "1 minute" },
  { value: "300", label: "5 minutes" },
  { value: "900", label: "15 minutes" },
] as const;

export function TraceForm({ onStarted }: { onStarted: (traceId: string) => void }) {
  const [target, setTarget] = useState<Target>("user");
  const [value, setValue] = useState("");
  const [seconds, setSeconds] = useState<(typeof DURATIONS)[number]["value"]>("60");
  const start = useStartTrace();
  return (
    <Card>
      <CardBody className="pt-5">
        <form
          aria-label="New trace"
          className="flex flex-wrap items-end gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            start.mutate(
              { target, value, seconds: Number(seconds) },
              { onSuccess: (trace) => onStarted(trace.id) },
            );
          }}
        >
          <Field label="Trace a" className="w-36">
            <Select options={TARGET_OPTIONS} value={target} onChange={setTarget} />
          </Field>
          <Field label="Called" className="min-w-52 flex-1">
            <Input
              required
              maxLength={255}
              placeholder={PLACEHOLDERS[target]}
              value={value}
              onChange={(event) => setValue(event.target.value)}
            />
          </Field>
          <Field label="For" className="w-36">
            <Select options={DURATIONS} value={seconds} onChange={setSeconds} />
          </Field>
          <Button type="submit" pending={start.isPending}>
            {start.isPending ? null : <Play aria-hidden />} Start trace
          </Button>
        </form>
        {start.isError ? (
          <div className="mt-4">
            <FormError error={start.error} />
          </div>
        ) : null}
      </CardBody>
    </Card>
  );
}
