// Starts the built server. Everything it needs is read from the environment when it starts, nothing at build time:
//   PORT                  where it listens (3000)
//   MOBULA_FRONTEND_HOST  the interface (127.0.0.1)
//   MOBULA_API_ORIGIN     where the API answers (http://127.0.0.1:8000)
//   REALTIME_PUBLIC_URL   WebSocket address that browsers are given; narrows the CSP's connect-src (optional)
//   MOBULA_TRUST_PROXY    1 when a reverse proxy in front of us sets X-Forwarded-* (optional)
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const server = join(import.meta.dirname, "../.next/standalone/server.js");
if (!existsSync(server)) {
  console.error("The front end is not built. Run `npm run build` in frontend/ first.");
  process.exit(1);
}
process.env.NODE_ENV = "production";
process.env.NEXT_TELEMETRY_DISABLED = "1";
process.env.PORT ||= "3000";
// Bash exports HOSTNAME as the machine's name in some containers; only an address that was meant is used.
process.env.HOSTNAME = process.env.MOBULA_FRONTEND_HOST || "127.0.0.1";
await import(pathToFileURL(server).href);
