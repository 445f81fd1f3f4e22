import { cookies } from "next/headers";

import { SESSION_HINT } from "@/lib/session-hint";

/** Whether somebody has signed in here, as far as the hint says; for pages that are for anybody. */
export async function isSignedIn(): Promise<boolean> {
  return (await cookies()).has(SESSION_HINT);
}
