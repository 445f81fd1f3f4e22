// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it } from "vitest";

import { SUBJECT_TYPES } from "@/features/audit/subjects";

const ROOT = join(import.meta.dirname, "../../..");

/** What the code of the API records entries about. */
function recorded(): string[] {
  const found = new Set<string>();
  for (const room of ["db", "serve_app", "tasks"])
    for (const file of readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".py")) continue;
      for (const [line] of readFileSync(join(ROOT, room, file), "utf8").matchAll(/subject_type=.*/g))
        for (const [, name] of (line.split("subject_id")[0] ?? "").matchAll(/"(\w+)"/g))
          if (name) found.add(name);
    }
  return [...found].sort();
}

it("the audit can be filtered by everything that is recorded", () => {
  expect(recorded()).toContain("user");
  expect([...SUBJECT_TYPES].sort()).toEqual(expect.arrayContaining(recorded()));
});
