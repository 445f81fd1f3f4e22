import { act, render, screen } from "@testing-library/react";
import { StrictMode } from "react";
import { describe, expect, it, vi } from "vitest";

import type { RealtimeConnection } from "@/lib/realtime/connection";
import { useChannel, useConnectionState, usePresence, useServerChannel } from "@/lib/realtime/hooks";
import { RealtimeProvider } from "@/lib/realtime/provider";

import { fakeConnection, info } from "../support/realtime";

function Probe({
  channel,
  onData,
  onSync,
}: {
  channel: string | null;
  onData: (data: unknown) => void;
  onSync?: () => void;
}) {
  useChannel(channel, onData, { onSync });
  useServerChannel("user:#me", onData, { onSync });
  return <output>{useConnectionState()}</output>;
}

function People({ channel }: { channel: string }) {
  return (
    <ul>
      {usePresence(channel).map(({ user, name }) => (
        <li key={user}>{name}</li>
      ))}
    </ul>
  );
}

function wrap(connection: RealtimeConnection, children: React.ReactNode) {
  return (
    <StrictMode>
      <RealtimeProvider connection={connection}>{children}</RealtimeProvider>
    </StrictMode>
  );
}

async function connected(children: React.ReactNode) {
  const { connection, client } = fakeConnection();
  const view = render(wrap(connection, children));
  await vi.waitFor(() => expect(client.connects).toBeGreaterThan(0));
  act(() => void client.emit("connected", {}));
  return { connection, client, view };
}

describe("useConnectionState", () => {
  it("follows the socket", async () => {
    const { client } = await connected(<Probe channel={null} onData={() => undefined} />);
    expect(screen.getByRole("status")).toHaveTextContent("connected");
    act(() => void client.emit("connecting", {}));
    expect(screen.getByRole("status")).toHaveTextContent("connecting");
  });
});

describe("useChannel", () => {
  it("calls the newest handler without subscribing anew", async () => {
    const first = vi.fn();
    const second = vi.fn();
    const { connection, client, view } = await connected(<Probe channel="room:a" onData={first} />);
    const subscription = client.subscription("room:a");
    view.rerender(wrap(connection, <Probe channel="room:a" onData={second} />));
    act(() => void subscription.emit("publication", { data: 1, offset: 5 }));
    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalledWith(1, 5);
    expect(client.subscription("room:a")).toBe(subscription);
  });

  it("changes channels, and leaves when it unmounts", async () => {
    const { connection, client, view } = await connected(<Probe channel="room:a" onData={() => undefined} />);
    const first = client.subscription("room:a");
    view.rerender(wrap(connection, <Probe channel="room:b" onData={() => undefined} />));
    await vi.waitFor(() => expect(first.unsubscribed).toBe(true));
    expect([...client.subscriptions.keys()]).toEqual(["room:b"]);
    view.unmount();
    expect(client.disconnects).toBeGreaterThan(0);
  });

  it("passes on synchronisation and server-side channels", async () => {
    const onData = vi.fn();
    const onSync = vi.fn();
    const { client } = await connected(<Probe channel="room:a" onData={onData} onSync={onSync} />);
    act(() => void client.subscription("room:a").emit("subscribed", { recovered: false }));
    act(() => void client.emit("subscribed", { channel: "user:#me", recovered: false }));
    act(() => void client.emit("publication", { channel: "user:#me", data: "hi" }));
    expect(onSync).toHaveBeenCalledTimes(2);
    expect(onData).toHaveBeenCalledWith("hi");
  });
});

describe("usePresence", () => {
  it("shows who is there, and who comes", async () => {
    const { client } = await connected(<People channel="room:a" />);
    const subscription = client.subscription("room:a");
    act(() => void subscription.emit("subscribed", { recovered: false }));
    subscription.answerPresence({ c1: info("c1", "u1", "Grace") });
    expect(await screen.findByText("Grace")).toBeInTheDocument();
    act(() => void subscription.emit("join", { info: info("c2", "u2", "Ada") }));
    expect(screen.getAllByRole("listitem").map((item) => item.textContent)).toEqual(["Ada", "Grace"]);
  });
});

describe("without a provider", () => {
  it("says what is missing", () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    expect(() => render(<People channel="room:a" />)).toThrow(/RealtimeProvider/);
  });
});
