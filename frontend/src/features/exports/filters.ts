import type { ExportDataset } from "@/lib/api/types";

/** The filters that were filled in, as the API takes them. */
export function toFilters(
  offered: ExportDataset["filters"],
  chosen: Readonly<Record<string, string>>,
): Record<string, string> {
  const filters: Record<string, string> = {};
  for (const { name, kind } of offered) {
    const value = chosen[name];
    if (value) filters[name] = kind === "timestamp" ? momentOf(name, value) : value;
  }
  return filters;
}

/** Whether a filter names an end. The API takes what is before that moment, and who chooses a day means all of it. */
export const isEnd = (name: string): boolean => name.endsWith("_until");

/**
 * "2026-11-26" → the instant at which that day begins where the person is, or ends, for an end; the API would take it
 * for one of UTC.
 */
function momentOf(name: string, date: string): string {
  const moment = new Date(`${date}T00:00:00`);
  if (isEnd(name)) moment.setDate(moment.getDate() + 1); // Not 24 hours: on two days of the year it is another number.
  return moment.toISOString();
}
