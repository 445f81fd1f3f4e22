import { describe, expect, it } from "vitest";

import { isApiPath } from "@/lib/proxy/upstream";
import { FALLBACK_OPTIONS, transports } from "@/lib/realtime/transports";

describe("transports", () => {
  it("tries the WebSocket first, then two ways through the page's own origin", () => {
    const [socket, ...fallbacks] = transports("ws://realtime.test/connection/websocket");
    expect(socket).toEqual({ transport: "websocket", endpoint: "ws://realtime.test/connection/websocket" });
    expect(fallbacks.map(({ transport }) => transport)).toEqual(["http_stream", "sse"]);
    const paths = [...fallbacks.map(({ endpoint }) => endpoint), FALLBACK_OPTIONS.emulationEndpoint ?? ""];
    for (const path of paths) expect(isApiPath(path), path).toBe(true);
  });
});
