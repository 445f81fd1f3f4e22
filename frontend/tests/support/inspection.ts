import type { EndedConnection, RealtimeConnection, RealtimeTrace } from "@/lib/api/types";

import { currentUser } from "./fixtures";

const AT = "2026-11-22T12:00:00Z";
export const operator = currentUser({
  id: "op",
  permissions: ["realtime:read", "realtime:admin", "conversations:use"],
});

export const connection = (part: Partial<RealtimeConnection> = {}): RealtimeConnection => ({
  client: "c-1",
  user: "u-2",
  info: { name: "grace" },
  session: "s-1",
  node: "hub-1",
  state: "connected",
  transport: "json/websocket",
  name: "mobula-web",
  version: "",
  opened_at: AT,
  expires_at: null,
  queue_bytes: 2_000,
  commands: 0,
  channel_count: 1,
  channels: [
    {
      channel: "room:1",
      state: "live",
      server_side: false,
      positioned: true,
      expires_at: null,
      epoch: "ep",
      offset: 7,
    },
  ],
  traced: false,
  frames: [],
  _links: {},
  ...part,
});

export const ending = (part: Partial<EndedConnection> = {}): EndedConnection => ({
  client: "c-1",
  user: "u-2",
  info: { name: "grace" },
  session: "s-1",
  node: "hub-1",
  transport: "json/websocket",
  opened_at: AT,
  ended_at: "2026-11-22T12:03:00Z",
  code: 3503,
  reason: "force disconnect",
  frames: [],
  queue_bytes: 0,
  ...part,
});

export const trace = (part: Partial<RealtimeTrace> = {}): RealtimeTrace => ({
  id: "t-1",
  trace_channel: "trace:t-1",
  user: "u-2",
  client: null,
  channel: null,
  seconds: 60,
  frames: 1_000,
  nodes: ["hub-1"],
  connections: 1,
  _links: {},
  ...part,
});

export const node = {
  node: "hub-1",
  name: "host-7",
  connections: 2,
  users: 1,
  subscriptions: 3,
  channels: 2,
  uptime_s: 7_500,
  cpu_percent: 1.5,
  rss_bytes: 99_000_000,
  transports: {},
};
