"use client";

import { useCallback, useEffect, useEffectEvent, useSyncExternalStore } from "react";

import { type ChannelSnapshot, type Member, UNSUBSCRIBED } from "./channel-entry";
import type { ConnectionState } from "./connection";
import { useRealtime } from "./provider";

const onServer = (): ConnectionState => "idle";

/** idle, connecting, connected or offline. */
export function useConnectionState(): ConnectionState {
  const connection = useRealtime();
  return useSyncExternalStore(connection.onState, connection.getState, onServer);
}

interface ChannelOptions {
  /** Called when publications may have been missed: at the first subscription, and when recovery failed. */
  onSync?: () => void;
}

interface StreamOptions extends ChannelOptions {
  /** Hear what the channel still remembers before what is new. After a new socket it comes again: go by the offset. */
  fromStart?: boolean;
}

/** Subscribes while mounted. The handlers may change at every render; the subscription stays. */
export function useChannel<T>(
  channel: string | null,
  onPublication: (data: T, offset?: number) => void,
  { onSync, fromStart = false }: StreamOptions = {},
): void {
  const connection = useRealtime();
  const handlePublication = useEffectEvent((data: unknown, offset?: number) =>
    onPublication(data as T, offset),
  );
  const handleSync = useEffectEvent(() => onSync?.());
  useEffect(() => {
    if (channel === null) return;
    const listener = {
      onPublication: (data: unknown, offset?: number) => handlePublication(data, offset),
      onSync: () => handleSync(),
    };
    return connection.watch(channel, listener, { fromStart });
  }, [connection, channel, fromStart]);
}

/** The same for a channel that the server subscribes us to. */
export function useServerChannel<T>(
  channel: string | null,
  onPublication: (data: T) => void,
  { onSync }: ChannelOptions = {},
): void {
  const connection = useRealtime();
  const handlePublication = useEffectEvent((data: unknown) => onPublication(data as T));
  const handleSync = useEffectEvent(() => onSync?.());
  useEffect(() => {
    if (channel === null) return;
    return connection.watchServerChannel(channel, {
      onPublication: (data) => handlePublication(data),
      onSync: () => handleSync(),
    });
  }, [connection, channel]);
}

/** Whether a channel is subscribed, and why not. */
export function useChannelStatus(channel: string): ChannelSnapshot {
  const connection = useRealtime();
  const subscribe = useCallback(
    (onChange: () => void) => connection.watch(channel, { onChange }),
    [connection, channel],
  );
  const read = useCallback(() => connection.channelSnapshot(channel), [connection, channel]);
  return useSyncExternalStore(subscribe, read, () => UNSUBSCRIBED);
}

/** Who is on the channel now. */
export function usePresence(channel: string): readonly Member[] {
  const connection = useRealtime();
  const { members } = useChannelStatus(channel);
  useEffect(() => {
    const stopWatching = connection.watch(channel, {});
    const stopTracking = connection.trackPresence(channel);
    return () => {
      stopTracking();
      stopWatching();
    };
  }, [connection, channel]);
  return members;
}

/** Follows keys of a shared poll while mounted: `onUpdate` is a `PollListener`. */
export function useSharedPoll<T>(
  channel: string,
  signedBy: string,
  keys: readonly string[],
  onUpdate: (key: string, data: T | null, version?: number) => void,
): void {
  const connection = useRealtime();
  const handleUpdate = useEffectEvent((key: string, data: unknown, version?: number) =>
    onUpdate(key, data as T | null, version),
  );
  const wanted = keys.join("\n");
  useEffect(() => {
    if (!wanted) return;
    return connection.poll(channel, signedBy, wanted.split("\n"), (key, data, version) =>
      handleUpdate(key, data, version),
    );
  }, [connection, channel, signedBy, wanted]);
}
