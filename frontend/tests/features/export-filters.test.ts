import { afterEach, describe, expect, it } from "vitest";

import { toFilters } from "@/features/exports/filters";
import type { ExportDataset } from "@/lib/api/types";

describe("the filters of an export", () => {
  const zone = process.env.TZ;
  afterEach(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  it("take a day for the person's own, wherever they are", () => {
    process.env.TZ = "America/New_York";
    const offered = [
      { name: "created_from", kind: "timestamp", description: "", choices: [] },
      { name: "status", kind: "choice", description: "", choices: ["paid"] },
    ] as ExportDataset["filters"];
    expect(toFilters(offered, { created_from: "2026-11-22", status: "paid", other: "x" })).toEqual({
      created_from: "2026-11-22T05:00:00.000Z",
      status: "paid",
    });
    expect(toFilters(offered, { created_from: "", status: "" })).toEqual({});
  });

  it.each([
    ["2026-11-22", "2026-11-23T05:00:00.000Z"],
    ["2026-12-31", "2027-01-01T05:00:00.000Z"],
    ["2026-11-01", "2026-11-02T05:00:00.000Z"], // It has 25 hours there.
  ])("count the whole of the last day, %s", (created_until, moment) => {
    process.env.TZ = "America/New_York";
    const offered = [
      { name: "created_until", kind: "timestamp", description: "", choices: [] },
    ] as ExportDataset["filters"];
    expect(toFilters(offered, { created_until })).toEqual({ created_until: moment });
  });
});
