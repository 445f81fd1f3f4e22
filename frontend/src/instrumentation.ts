/** Runs once when the server starts, in development and in production alike. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { distrustForwardedHeaders } = await import("@/lib/proxy/peer");
  if (process.env.MOBULA_TRUST_PROXY !== "1") distrustForwardedHeaders();
}
