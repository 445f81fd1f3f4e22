import { describe, expect, it, vi } from "vitest";

import {
  count,
  formatBytes,
  formatClockMillis,
  formatCompact,
  formatDay,
  formatDuration,
  formatInteger,
  formatMoney,
  formatRelative,
  humanise,
  initials,
  sumMoney,
} from "@/lib/format";

const NOON = new Date("2026-11-22T12:00:00Z");
const before = (seconds: number) => new Date(NOON.getTime() - seconds * 1000).toISOString();

describe("amounts", () => {
  it("add up exactly where binary fractions would not", () => {
    expect(sumMoney([{ price: "0.10", quantity: 3 }])).toBe("0.30");
    expect(
      sumMoney([
        { price: "19.99", quantity: 100 },
        { price: "0.01", quantity: 1 },
      ]),
    ).toBe("1999.01");
    expect(sumMoney([])).toBe("0.00");
  });

  it("are shown in their currency", () => {
    expect(formatMoney("1234.5", "EUR")).toBe("€1,234.50");
    expect(formatInteger(1234567)).toBe("1,234,567");
    expect(formatCompact(18234)).toBe("18.2k");
  });
});

describe("times", () => {
  it.each([
    [10, "just now"],
    [180, "3 min ago"],
    [7200, "2 hr ago"],
    [86_400, "yesterday"],
    [3 * 86_400, "3 days ago"],
  ])("%i seconds ago read as %s", (seconds, text) => {
    expect(formatRelative(before(seconds), NOON.getTime())).toBe(text);
  });

  it("become dates after a week", () => {
    expect(formatRelative(before(10 * 86_400), NOON.getTime())).toContain("2026");
  });

  it("name the near days", () => {
    expect(formatDay(before(60), NOON)).toBe("Today");
    expect(formatDay(before(86_400), NOON)).toBe("Yesterday");
    expect(formatDay(before(5 * 86_400), NOON)).toBe("Tuesday 17 November");
    expect(formatDay("2025-11-18T12:00:00Z", NOON)).toMatch(/^Tuesday,? 18 November 2025$/);
  });

  it("count days by the calendar, also when the clocks change", () => {
    vi.stubEnv("TZ", "Europe/Berlin");
    // 23 hours: a day before half past midnight is the day before yesterday.
    expect(formatDay("2026-03-29T10:00:00Z", new Date("2026-03-29T22:30:00Z"))).toBe("Yesterday");
    vi.unstubAllEnvs();
  });
});

describe("words", () => {
  it("are made of identifiers, sizes and names", () => {
    expect([count(1, "row"), count(2000, "row")]).toEqual(["1 row", "2,000 rows"]);
    expect(humanise("order_items.created-at")).toBe("Order items created at");
    expect([formatBytes(900), formatBytes(812_345), formatBytes(3_200_000_000)]).toEqual([
      "900 B",
      "812.3 KB",
      "3.2 GB",
    ]);
    expect([initials("ada"), initials("grace.hopper"), initials("x")]).toEqual(["AD", "GH", "X"]);
  });
});

describe("durations", () => {
  it("are told in their two largest units", () => {
    expect([0, 59.4, 60, 3_599, 3_600, 7_500, 86_400, 100_000, -5].map(formatDuration)).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "59 min",
      "1 h",
      "2 h 5 min",
      "1 d",
      "1 d 3 h",
      "0 s",
    ]);
  });

  it("and moments of a trace to the millisecond", () => {
    expect(formatClockMillis(Date.parse("2026-11-22T12:00:00.007Z"))).toMatch(/^\d\d:00:00\.007$/);
  });
});
