// `output: "standalone"` leaves out the static files, expecting a CDN. We serve them ourselves.
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const standalone = join(root, ".next/standalone");

cpSync(join(root, ".next/static"), join(standalone, ".next/static"), { recursive: true });
if (existsSync(join(root, "public"))) {
  cpSync(join(root, "public"), join(standalone, "public"), { recursive: true });
}
