// Writes src/lib/api/schema.gen.ts from ../openapi.json; with --check, fails when the committed file is stale.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import openapiTS, { astToString } from "openapi-typescript";

const root = join(import.meta.dirname, "..");
const source = process.env.MOBULA_OPENAPI || join(root, "../openapi.json");
const target = join(root, "src/lib/api/schema.gen.ts");
const header = "// Generated from openapi.json by `npm run generate`. Do not edit.\n\n";

if (!existsSync(source)) {
  console.error(`${source} does not exist; export it from the API first.`);
  process.exit(1);
}
// A request may leave out what has a default; responses declare no defaults.
const text = header + astToString(await openapiTS(pathToFileURL(source), { defaultNonNullable: false }));
if (!process.argv.includes("--check")) {
  writeFileSync(target, text);
} else if (!existsSync(target) || readFileSync(target, "utf8") !== text) {
  console.error(
    "src/lib/api/schema.gen.ts is stale: run `npm run generate` in frontend/ and commit the result.",
  );
  process.exit(1);
}
