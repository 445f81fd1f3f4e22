"use client";

import { createContext, type ReactNode, useContext, useEffect, useState } from "react";

import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

import { RealtimeConnection } from "./connection";
import { FALLBACK_OPTIONS, transports } from "./transports";

const RealtimeContext = createContext<RealtimeConnection | null>(null);

function browserConnection(onTerminated: (code: number, reason: string) => void): RealtimeConnection {
  return new RealtimeConnection({
    fetchToken: () => unwrap(api.POST("/api/v1/realtime/token")),
    // Loaded when it is needed: the landing and sign-in pages do without.
    createClient: async (url, options) =>
      new (await import("centrifuge")).Centrifuge(transports(url), { ...FALLBACK_OPTIONS, ...options }),
    onTerminated,
  });
}

interface RealtimeProviderProps {
  children: ReactNode;
  onTerminated?: (code: number, reason: string) => void;
  /** Tests bring their own. */
  connection?: RealtimeConnection;
}

/** Opens the tab's one socket while it is mounted, that is, while somebody is signed in. */
export function RealtimeProvider({ children, onTerminated, connection: given }: RealtimeProviderProps) {
  const [connection] = useState(
    () => given ?? browserConnection((code, reason) => onTerminated?.(code, reason)),
  );
  useEffect(() => {
    connection.start();
    return () => connection.stop();
  }, [connection]);
  return <RealtimeContext value={connection}>{children}</RealtimeContext>;
}

export function useRealtime(): RealtimeConnection {
  const connection = useContext(RealtimeContext);
  if (!connection) throw new Error("useRealtime needs a RealtimeProvider above it");
  return connection;
}
