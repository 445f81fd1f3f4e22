// Native packages are optional, one per platform. A registry that carries only some platforms leaves the others out of
// the lock file, and `npm ci` refuses a lock file that lacks them, on every platform. Their versions are exact in the
// packages that want them, so they can be written down without asking a registry. Run after `npm install`.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const PROCESSORS = ["arm64", "arm", "x64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "wasm32"];
const EXACT = /^\d+\.\d+\.\d+$/;

const path = join(import.meta.dirname, "../package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
let added = 0;

for (const [owner, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const present = [`${owner}/node_modules/${name}`, `node_modules/${name}`].some(
      (place) => place in lock.packages,
    );
    const words = name.split(/[-/]/);
    const cpu = PROCESSORS.find((word) => words.includes(word));
    const os = SYSTEMS.find((word) => words.includes(word));
    if (present || !EXACT.test(version) || !cpu) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      optional: true,
      ...(os ? { os: [os] } : {}),
    };
    added += 1;
  }
}

if (added > 0) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
}
console.log(`${added} packages of other platforms added to package-lock.json`);
