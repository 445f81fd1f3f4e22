import { forward } from "@/lib/proxy/forward";

export const dynamic = "force-dynamic";

/** A page of the API's own, shown under the address that people know. */
export { forward as GET, forward as HEAD };
