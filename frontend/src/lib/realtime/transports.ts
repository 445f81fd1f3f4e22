import type { Options, TransportEndpoint } from "centrifuge";

/**
 * The WebSocket at its own address and, for networks that let none through, two ways through the page's own origin:
 * what loads the page lets these pass too. No cookie counts on any of them, only the token in the connect command.
 */
export function transports(url: string): TransportEndpoint[] {
  return [
    { transport: "websocket", endpoint: url },
    { transport: "http_stream", endpoint: "/connection/http_stream" },
    { transport: "sse", endpoint: "/connection/sse" },
  ];
}

export const FALLBACK_OPTIONS: Partial<Options> = { emulationEndpoint: "/connection/emulation" };
