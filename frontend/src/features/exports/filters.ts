import type { ExportDataset } from "@/lib/api/types";

/** The filters that were filled in, as the API takes them. */
export function toFilters(
  offered: ExportDataset["filters"],
  chosen: Readonly<Record<string, string>>,
): Record<string, string> {
  const filters: Record<string, string> = {};
  for (const { name, kind } of offered) {
    const value = chosen[name];
    if (value) filters[name] = kind === "timestamp" ? startOfDay(value) : value;
  }
  return filters;
}

/** "2026-11-26" → the instant at which that day begins where the person is; the API would take it for one of UTC. */
function startOfDay(date: string): string {
  return new Date(`${date}T00:00:00`).toISOString();
}
