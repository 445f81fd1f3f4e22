"use client";

import { Button } from "@/components/ui/button";
import { messageOf } from "@/lib/api/problem";
import { cn } from "@/lib/cn";
import { useOnline } from "@/lib/hooks/use-online";

import type { useSay } from "../hooks/use-outgoing";
import type { Outgoing } from "../outgoing";

interface UnsentMessageProps {
  message: Outgoing;
  actions: Pick<ReturnType<typeof useSay>, "sayAgain" | "discard">;
}

/** What one has just said, on its way; or why it did not arrive, and what to do about it. */
export function UnsentMessage({ message, actions }: UnsentMessageProps) {
  const failed = message.error !== null;
  const online = useOnline();
  return (
    <li data-testid="unsent" data-failed={failed} className="mt-2 flex flex-col items-end">
      <p
        className={cn(
          "w-fit max-w-[min(34rem,80%)] rounded-2xl rounded-tr-md px-3.5 py-2 text-sm leading-relaxed break-words whitespace-pre-wrap",
          failed
            ? "border border-danger bg-danger-soft text-danger"
            : "bg-primary/75 text-primary-foreground",
        )}
      >
        {message.body}
      </p>
      {failed ? (
        <div
          role="alert"
          className="mt-1 flex flex-wrap items-center justify-end gap-x-2 text-xs text-danger"
        >
          <span>Not sent. {messageOf(message.error)}</span>
          <Button variant="ghost" size="sm" className="h-7 px-2" onClick={() => actions.sayAgain(message)}>
            Send again
          </Button>
          <Button variant="ghost" size="sm" className="h-7 px-2" onClick={() => actions.discard(message)}>
            Discard
          </Button>
        </div>
      ) : (
        <span className="mt-1 text-[0.6875rem] text-muted-foreground">
          {online ? "Sending" : "You are offline: it is sent as soon as you are connected"}
        </span>
      )}
    </li>
  );
}
