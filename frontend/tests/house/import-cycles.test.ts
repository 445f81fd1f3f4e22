// @vitest-environment node
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

import { describe, expect, it } from "vitest";

const SRC = join(import.meta.dirname, "../../src");
const IMPORT = /^(?:import|export)\s(?!type\b)[^;]*?from\s+"(\.{1,2}\/[^"]+|@\/[^"]+)"/gm;

type Graph = ReadonlyMap<string, readonly string[]>;

function resolve(from: string, specifier: string): string | undefined {
  const base = specifier.startsWith("@/") ? join(SRC, specifier.slice(2)) : join(dirname(from), specifier);
  return ["", ".ts", ".tsx"]
    .map((suffix) => base + suffix)
    .find((path) => /\.tsx?$/.test(path) && existsSync(path));
}

function readGraph(): Graph {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  return new Map(
    files.map((name) => {
      const path = join(SRC, name);
      const imports = [...readFileSync(path, "utf8").matchAll(IMPORT)].map((match) =>
        resolve(path, match[1] as string),
      );
      return [path, imports.filter((found) => found !== undefined)];
    }),
  );
}

/** The first cycle found, as the way round it. */
function findCycle(graph: Graph): string[] | null {
  const finished = new Set<string>();
  function visit(node: string, trail: string[]): string[] | null {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node];
    if (finished.has(node)) return null;
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...trail, node]);
      if (cycle) return cycle;
    }
    finished.add(node);
    return null;
  }
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle) return cycle;
  }
  return null;
}

// ESLint's import/no-cycle finds the same in four minutes.
describe("modules", () => {
  it("do not import one another in circles", () => {
    const graph = readGraph();
    expect(graph.size).toBeGreaterThan(50);
    expect(findCycle(graph)?.map((path) => relative(SRC, path)) ?? null).toBeNull();
  });

  it("would be caught doing so", () => {
    const graph = new Map([
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["b"]],
    ]);
    expect(findCycle(graph)).toEqual(["b", "c", "b"]);
  });
});
