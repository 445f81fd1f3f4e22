"use client";

import { parseAsStringLiteral } from "nuqs";

import { Select } from "@/components/ui/select";

import { STATUS, STEPS } from "../status";

const ALL = "all";
const STATUSES = [...STEPS, "cancelled"] as const;
const OPTIONS = [
  { value: ALL, label: "All statuses" },
  ...STATUSES.map((status) => ({ value: status, label: STATUS[status].label })),
] as const;

type Status = (typeof STATUSES)[number];

/** A status in the address. */
export const parseAsStatus = parseAsStringLiteral(STATUSES);

/** Orders in one status, or in all of them (null). */
export function StatusSelect({
  value,
  onChange,
}: {
  value: Status | null;
  onChange: (status: Status | null) => void;
}) {
  return (
    <div className="w-44">
      <Select
        aria-label="Status"
        options={OPTIONS}
        value={value ?? ALL}
        onChange={(chosen) => onChange(chosen === ALL ? null : chosen)}
      />
    </div>
  );
}
