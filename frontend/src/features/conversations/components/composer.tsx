"use client";

import { SendHorizontal } from "lucide-react";
import { type FormEvent, type KeyboardEvent, useRef, useState } from "react";

import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";

import { usePostMessage } from "../api/messages";

const MAX_CHARACTERS = 4000;

/** Enter sends, Shift+Enter makes a new line. What could not be sent stays in the field. */
export function Composer({ conversationId }: { conversationId: string }) {
  const post = usePostMessage(conversationId);
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);

  function send(event?: FormEvent) {
    event?.preventDefault();
    const body = text.trim();
    if (!body || post.isPending) return;
    post.mutate(body, {
      onSuccess: () => setText((now) => (now.trim() === body ? "" : now)),
      onError: (error) => toast.error("The message was not sent", error),
    });
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    // While an input method composes a character, Enter belongs to it.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) send(event);
  }

  return (
    <form onSubmit={send} className="flex items-end gap-2 border-t p-3 sm:p-4" aria-label="Write a message">
      <textarea
        ref={field}
        rows={1}
        value={text}
        maxLength={MAX_CHARACTERS}
        aria-label="Message"
        placeholder="Write a message"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        className="field-sizing-content max-h-40 min-h-10 flex-1 resize-none rounded-2xl border border-input bg-card px-4 py-2.25 text-sm leading-snug shadow-xs placeholder:text-muted-foreground/80 focus-visible:border-ring focus-visible:outline-offset-0"
      />
      <Button
        type="submit"
        size="icon"
        className="size-10 rounded-full"
        aria-label="Send"
        disabled={!text.trim()}
      >
        <SendHorizontal aria-hidden />
      </Button>
    </form>
  );
}
