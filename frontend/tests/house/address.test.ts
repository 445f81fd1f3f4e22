// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it } from "vitest";

const SRC = join(import.meta.dirname, "../../src");

it("whoever keeps something in the address says what going back does: push what is opened, replace what is typed", () => {
  const silent = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .filter((name) => {
      const source = readFileSync(join(SRC, name), "utf8");
      return /\buseQueryStates?\(/.test(source) && !/\bhistory: "/.test(source);
    });
  expect(silent).toEqual([]);
});
