import { existsSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import manifest from "@/app/manifest";
import { isPrivate } from "@/lib/paths";

describe("the web manifest", () => {
  it("starts at a page of ours and names icons that exist", () => {
    const { start_url, icons } = manifest();
    expect(isPrivate(start_url ?? "")).toBe(true);
    for (const { src } of icons ?? [])
      expect(existsSync(join(__dirname, "../../src/app", src)), src).toBe(true);
  });
});
