/** Runs once when the server starts, in development and in production alike. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { neverReuseConnections, watchRequests } = await import("@/lib/proxy/server-hooks");
  watchRequests({
    trustProxy: process.env.MOBULA_TRUST_PROXY === "1",
    strictTransport: process.env.ENVIRONMENT === "production",
  });
  neverReuseConnections();
}
