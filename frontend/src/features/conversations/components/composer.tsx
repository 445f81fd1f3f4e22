"use client";

import { SendHorizontal } from "lucide-react";
import { type FormEvent, type KeyboardEvent, useRef } from "react";

import { Button } from "@/components/ui/button";

import { useDraft } from "../hooks/use-outgoing";

const MAX_CHARACTERS = 4000;

interface ComposerProps {
  conversationId: string;
  onSay: (body: string) => void;
}

/** Enter sends, Shift+Enter makes a new line. What is sent leaves the field at once, for the next message. */
export function Composer({ conversationId, onSay }: ComposerProps) {
  const [text, setText] = useDraft(conversationId);
  const field = useRef<HTMLTextAreaElement>(null);

  function send(event?: FormEvent) {
    event?.preventDefault();
    const body = text.trim();
    if (!body) return;
    setText("");
    onSay(body);
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    // While an input method composes a character, Enter belongs to it.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) send(event);
  }

  return (
    <form
      onSubmit={send}
      className="flex items-end gap-2 border-t p-3 sm:p-4"
      aria-label="Write a message"
      data-slot="composer"
    >
      <textarea
        ref={field}
        rows={1}
        value={text}
        maxLength={MAX_CHARACTERS}
        aria-label="Message"
        placeholder="Write a message"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        className="field-sizing-content max-h-40 min-h-10 flex-1 resize-none rounded-2xl border border-input bg-card px-4 py-2.25 text-base leading-snug sm:text-sm shadow-xs placeholder:text-muted-foreground/80 focus-visible:border-ring focus-visible:outline-offset-0"
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
