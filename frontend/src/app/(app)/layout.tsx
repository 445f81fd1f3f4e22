import type { ReactNode } from "react";

import { SessionGate } from "./_components/session-gate";
import { Shell } from "./_components/shell";

export default function AppLayout({ children }: { children: ReactNode }) {
  return (
    <SessionGate>
      <Shell>{children}</Shell>
    </SessionGate>
  );
}
