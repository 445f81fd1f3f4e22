"use client";

import { parseAsInteger, useQueryState } from "nuqs";

/** Which page of the exports is shown, and how to turn it; in the address. */
export function useExportPage(): [number, (page: number) => void] {
  const [page, turn] = useQueryState("page", parseAsInteger.withDefault(1).withOptions({ history: "push" }));
  return [Math.max(1, page), (next) => void turn(next)];
}
