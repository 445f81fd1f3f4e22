// The npm `centrifuge` SDK, unmodified, driven over stdin and stdout by tests/fixtures/sdk.py: one JSON request per line
// in, one JSON answer or event per line out.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const fromFrontend = createRequire(process.argv[2]);
const protobuf = process.argv[3] === "protobuf";
const { Centrifuge } = fromFrontend(
  protobuf ? "centrifuge/build/protobuf" : "centrifuge",
);
const { EventSource } = fromFrontend("eventsource");
const WebSocket = fromFrontend("ws");

const write = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const waiting = new Map();
let client;
let tokens = 0;

// The test answers with {"token": …, "token_for": n}.
const ask = (event, about = {}) =>
  new Promise((resolve) => {
    tokens += 1;
    waiting.set(tokens, resolve);
    write({ event, number: tokens, ...about });
  });

// Protobuf carries bytes: here always the text of a JSON value.
const encoded = (data) =>
  protobuf ? new TextEncoder().encode(JSON.stringify(data)) : data;
const decoded = (data) =>
  protobuf ? JSON.parse(new TextDecoder().decode(data)) : data;
const plain = (publication) => ({
  offset: publication.offset,
  data: decoded(publication.data),
});

const actions = {
  async connect({ endpoints, emulation }) {
    const single =
      endpoints.length === 1 && endpoints[0].transport === "websocket";
    client = new Centrifuge(single ? endpoints[0].endpoint : endpoints, {
      websocket: WebSocket,
      eventsource: EventSource,
      emulationEndpoint: emulation,
      minReconnectDelay: 100,
      maxReconnectDelay: 1000,
      getToken: () => ask("token_wanted"),
    });
    client.on("disconnected", ({ code, reason }) =>
      write({ event: "disconnected", code, reason }),
    );
    client.on("connecting", ({ code }) => write({ event: "connecting", code }));
    client.on("connected", ({ client: id, transport }) =>
      write({ event: "connected", client: id, transport }),
    );
    // Subscriptions that the server chose, and its messages.
    client.on("publication", ({ channel, ...publication }) =>
      write({ event: "publication", channel, ...plain(publication) }),
    );
    client.on("subscribed", ({ channel, wasRecovering, recovered }) =>
      write({
        event: "subscribed",
        channel,
        was_recovering: wasRecovering,
        recovered,
      }),
    );
    client.on("unsubscribed", ({ channel }) =>
      write({ event: "unsubscribed", channel, code: 0 }),
    );
    client.on("message", ({ data }) => write({ event: "message", data }));
    client.connect();
    await client.ready(20_000);
    return {};
  },
  async subscribe({ channel, options, has_tokens, has_state }) {
    const subscription = client.newSubscription(channel, {
      minResubscribeDelay: 100,
      maxResubscribeDelay: 1000,
      ...(has_tokens
        ? { getToken: () => ask("sub_token_wanted", { channel }) }
        : {}),
      ...(has_state
        ? { getState: () => ask("state_wanted", { channel }) }
        : {}),
      ...options,
    });
    subscription.on("publication", (publication) =>
      write({ event: "publication", channel, ...plain(publication) }),
    );
    subscription.on("join", ({ info }) =>
      write({ event: "join", channel, client: info.client, user: info.user }),
    );
    subscription.on("leave", ({ info }) =>
      write({ event: "leave", channel, client: info.client, user: info.user }),
    );
    subscription.on("subscribed", (context) =>
      write({
        event: "subscribed",
        channel,
        was_recovering: context.wasRecovering,
        recovered: context.recovered,
        epoch: context.streamPosition?.epoch ?? "",
      }),
    );
    subscription.on("unsubscribed", ({ code }) =>
      write({ event: "unsubscribed", channel, code }),
    );
    subscription.subscribe();
    await subscription.ready(20_000);
    return {};
  },
  async map_subscribe({ channel, options: { of, ...options } }) {
    const make = {
      clients: "newMapClientsSubscription",
      users: "newMapUsersSubscription",
    };
    const subscription = client[make[of] ?? "newMapSubscription"](channel, {
      minResubscribeDelay: 100,
      maxResubscribeDelay: 1000,
      ...options,
    });
    // Presence has no data: it says who is behind the key.
    const entry = ({ key, data, info, removed }) => ({
      key,
      removed: removed === true,
      data: of
        ? (info?.user ?? null)
        : removed || data === undefined
          ? null
          : decoded(data),
    });
    subscription.on("sync", ({ entries }) =>
      write({ event: "map_sync", channel, entries: entries.map(entry) }),
    );
    subscription.on("update", (update) =>
      write({ event: "map_update", channel, ...entry(update) }),
    );
    subscription.on("subscribed", (context) =>
      write({
        event: "subscribed",
        channel,
        was_recovering: context.wasRecovering === true,
        recovered: context.recovered === true,
      }),
    );
    subscription.on("unsubscribed", ({ code }) =>
      write({ event: "unsubscribed", channel, code }),
    );
    subscription.subscribe();
    await subscription.ready(20_000);
    return {};
  },
  async map_publish({ channel, key, data }) {
    await client.mapPublish(channel, key, encoded(data));
    return {};
  },
  async map_remove({ channel, key }) {
    await client.mapRemove(channel, key);
    return {};
  },
  async poll_subscribe({ channel, method, delta }) {
    const subscription = client.newSharedPollSubscription(channel, {
      minResubscribeDelay: 100,
      maxResubscribeDelay: 1000,
      ...(delta ? { delta } : {}),
      // By an rpc method, or answered like a token: {"token": {"keys", "signature"}, "token_for": n}.
      getSignature: async ({ keys }) => {
        if (method) {
          const { data } = await client.rpc(method, encoded({ channel, keys }));
          return { keys, signature: decoded(data).signature };
        }
        return ask("signature_wanted", { channel, keys });
      },
    });
    subscription.on("update", ({ key, data, removed }) =>
      write({
        event: "map_update",
        channel,
        key,
        removed: removed === true,
        data: removed ? null : decoded(data),
      }),
    );
    subscription.on("error", ({ error }) =>
      write({ event: "poll_error", channel, code: error.code }),
    );
    subscription.on("unsubscribed", ({ code }) =>
      write({ event: "unsubscribed", channel, code }),
    );
    subscription.subscribe();
    await subscription.ready(20_000);
    return {};
  },
  async poll_track({ channel, keys }) {
    client.getSubscription(channel).track(keys);
    return {};
  },
  async poll_untrack({ channel, keys }) {
    client.getSubscription(channel).untrack(keys);
    return {};
  },
  async publish({ channel, data }) {
    await client.publish(channel, encoded(data));
    return {};
  },
  async rpc({ method, data }) {
    const result = await client.rpc(method, encoded(data));
    return { data: decoded(result.data) };
  },
  async unsubscribe({ channel }) {
    client.getSubscription(channel).unsubscribe();
    return {};
  },
  async resubscribe({ channel }) {
    client.getSubscription(channel).subscribe();
    await client.getSubscription(channel).ready(20_000);
    return {};
  },
  async presence({ channel }) {
    const { clients } = await client.presence(channel);
    return { users: Object.values(clients).map((info) => info.user) };
  },
  async presence_stats({ channel }) {
    const { numClients, numUsers } = await client.presenceStats(channel);
    return { clients: numClients, users: numUsers };
  },
  async history({ channel, limit, since, reverse }) {
    const { publications, offset, epoch } = await client.history(channel, {
      limit,
      since: since ?? undefined,
      reverse,
    });
    return { publications: publications.map(plain), offset, epoch };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.token_for) {
    waiting.get(request.token_for)?.(request.token);
    waiting.delete(request.token_for);
    continue;
  }
  // Not awaited: connecting waits for a token, which arrives on the next line.
  actions[request.action](request).then(
    (answer) => write({ answer: request.number, ...answer }),
    (error) =>
      write({
        answer: request.number,
        error: error.message,
        code: error.code ?? 0,
      }),
  );
}
client?.disconnect();
process.exit(0);
