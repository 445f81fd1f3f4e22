"use client";

import { SendHorizontal } from "lucide-react";
import { type FormEvent, type KeyboardEvent, useId, useRef } from "react";

import { Button } from "@/components/ui/button";
import { count } from "@/lib/format";

import { useDraft } from "../hooks/use-outgoing";

/** As many as the API takes. */
const MAX_CHARACTERS = 4000;
/** From so many left on, they are counted where one writes. */
const NEAR = 200;
/** The key of a press that an input method has taken. Safari says no longer that it composes when Enter ends it. */
const TAKEN_BY_INPUT_METHOD = 229;

interface ComposerProps {
  conversationId: string;
  onSay: (body: string) => void;
}

/** Enter sends, Shift+Enter makes a new line. What is sent leaves the field at once, for the next message. */
export function Composer({ conversationId, onSay }: ComposerProps) {
  const [text, setText] = useDraft(conversationId);
  const field = useRef<HTMLTextAreaElement>(null);
  const noteId = useId();
  const body = text.trim();
  const left = MAX_CHARACTERS - charactersOf(body);
  const sendable = body !== "" && left >= 0;

  function send(event?: FormEvent) {
    event?.preventDefault();
    if (!sendable) return;
    setText("");
    onSay(body);
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    // While an input method composes a character, Enter belongs to it.
    const composing = event.nativeEvent.isComposing || event.keyCode === TAKEN_BY_INPUT_METHOD;
    if (event.key === "Enter" && !event.shiftKey && !composing) send(event);
  }

  return (
    <form
      onSubmit={send}
      className="flex flex-wrap items-end gap-2 border-t p-3 sm:p-4"
      aria-label="Write a message"
      data-slot="composer"
    >
      <textarea
        ref={field}
        rows={1}
        value={text}
        // No maxLength: what is pasted would lose its end without a word.
        aria-invalid={left < 0 ? true : undefined}
        aria-describedby={left < NEAR ? noteId : undefined}
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
        disabled={!sendable}
      >
        <SendHorizontal aria-hidden />
      </Button>
      {left < 0 ? (
        <p id={noteId} className="basis-full px-4 text-xs font-medium text-danger">
          <span role="alert">Too long for one message: shorten it, or send it in parts.</span>{" "}
          {count(-left, "character")} too many.
        </p>
      ) : left < NEAR ? (
        <p id={noteId} className="basis-full px-4 text-xs text-muted-foreground">
          {count(left, "character")} left
        </p>
      ) : null}
    </form>
  );
}

/** As the API counts them: an emoji is one, although JavaScript counts two. */
function charactersOf(text: string): number {
  return [...text].length;
}
