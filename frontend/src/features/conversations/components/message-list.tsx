"use client";

import { MessageCircle } from "lucide-react";
import type { ComponentProps } from "react";

import { Avatar } from "@/components/ui/avatar";
import { Empty } from "@/components/ui/empty";
import { LoadMore } from "@/components/ui/load-more";
import { Day } from "@/components/ui/relative-time";
import type { Message } from "@/lib/api/types";
import { cn } from "@/lib/cn";
import { useCurrentUser } from "@/lib/current-user";
import { formatClock, formatDateTime, formatDay } from "@/lib/format";

import type { Outgoing } from "../outgoing";
import { authorOf } from "../title";
import { RemoveMessage } from "./remove-message";
import { UnsentMessage } from "./unsent-message";

/** Messages of one person this close together share a head. */
const SAME_BREATH_MS = 4 * 60_000;

interface MessageListProps {
  messages: readonly Message[];
  /** Who has seen which of my messages. */
  receipt: { messageId: string; text: string } | null;
  /** What I have written and nobody has yet. */
  unsent: readonly Outgoing[];
  actions: ComponentProps<typeof UnsentMessage>["actions"];
  /** Where older ones come from. */
  older: ComponentProps<typeof LoadMore>["query"];
}

export function MessageList(props: MessageListProps) {
  const { messages, receipt, unsent, actions, older } = props;
  if (messages.length === 0 && unsent.length === 0) {
    return (
      <div className="flex flex-1 items-center justify-center">
        <Empty icon={MessageCircle} title="No messages yet">
          Say something: everyone here sees it at once.
        </Empty>
      </div>
    );
  }
  return (
    // Laid out from the bottom up, so the newest message stays in view and older ones grow upwards without a jump.
    <div
      className="flex min-h-0 flex-1 flex-col-reverse overflow-y-auto overscroll-contain px-4 sm:px-5"
      tabIndex={0}
      role="region"
      aria-label="Message history"
    >
      <div className="py-4">
        <LoadMore query={older} failed="Older messages could not be loaded.">
          Older messages
        </LoadMore>
        <div role="log" aria-label="Messages" aria-live="polite" aria-busy={older.isFetchingNextPage}>
          <ol>
            {messages.map((message, index) => (
              <MessageItem
                key={message.id}
                message={message}
                previous={messages[index - 1]}
                receipt={receipt?.messageId === message.id ? receipt.text : null}
              />
            ))}
            {unsent.map((message) => (
              <UnsentMessage key={message.id} message={message} actions={actions} />
            ))}
          </ol>
        </div>
      </div>
    </div>
  );
}

interface MessageItemProps {
  message: Message;
  previous: Message | undefined;
  receipt: string | null;
}

function MessageItem({ message, previous, receipt }: MessageItemProps) {
  const user = useCurrentUser();
  const mine = message.author?.id === user.id;
  const author = authorOf(message, user.id);
  const newDay = !previous || formatDay(previous.created_at) !== formatDay(message.created_at);
  const continued =
    !newDay &&
    previous.author?.id === message.author?.id &&
    new Date(message.created_at).getTime() - new Date(previous.created_at).getTime() < SAME_BREATH_MS;
  return (
    <>
      {newDay ? (
        <li
          aria-hidden
          className="my-5 flex items-center gap-4 text-xs font-medium text-muted-foreground first:mt-0"
        >
          <span className="h-px flex-1 bg-border" />
          <Day at={message.created_at} />
          <span className="h-px flex-1 bg-border" />
        </li>
      ) : null}
      <li
        data-testid="message"
        data-mine={mine}
        className={cn(
          "group/message flex gap-2.5",
          mine && "flex-row-reverse",
          continued ? "mt-1" : "mt-4 first:mt-0",
        )}
      >
        {continued ? <span className="w-8 shrink-0" /> : <Avatar name={message.author?.username ?? "?"} />}
        <div className={cn("flex max-w-[min(34rem,80%)] min-w-0 flex-col", mine && "items-end")}>
          {continued ? (
            <span className="sr-only">{author}:</span>
          ) : (
            <p className="mb-1 text-xs text-muted-foreground">
              <span className="font-semibold text-foreground">{author}</span>
              {" · "}
              <time dateTime={message.created_at} title={formatDateTime(message.created_at)}>
                {formatClock(message.created_at)}
              </time>
            </p>
          )}
          <p
            className={cn(
              "w-fit max-w-full rounded-2xl px-3.5 py-2 text-sm leading-relaxed break-words whitespace-pre-wrap",
              mine ? "rounded-tr-md bg-primary text-primary-foreground" : "rounded-tl-md bg-muted",
            )}
          >
            {message.body}
          </p>
          {receipt ? (
            <span className="mt-1 text-[0.6875rem] text-muted-foreground" data-testid="receipt">
              {receipt}
            </span>
          ) : null}
        </div>
        <RemoveMessage message={message} />
      </li>
    </>
  );
}
