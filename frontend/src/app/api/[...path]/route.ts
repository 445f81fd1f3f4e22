import { forward } from "@/lib/proxy/forward";

export const dynamic = "force-dynamic";

/** One origin for the browser: cookies are first-party, and there is no CORS to configure. */
export {
  forward as GET,
  forward as HEAD,
  forward as POST,
  forward as PUT,
  forward as PATCH,
  forward as DELETE,
  forward as OPTIONS,
};
