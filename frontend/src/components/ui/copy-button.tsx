"use client";

import { Check, Copy } from "lucide-react";
import { type RefObject, useState } from "react";

import { Button } from "./button";
import { toast } from "./toast";

interface CopyButtonProps {
  text: string;
  /** Where the text is shown, to be selected when the browser lets no script write to the clipboard. */
  shownIn: RefObject<HTMLElement | null>;
}

/** Puts `text` on the clipboard, and says so. */
export function CopyButton({ text, shownIn }: CopyButtonProps) {
  const [copied, setCopied] = useState(false);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text); // There is no clipboard without HTTPS, and it may be forbidden.
      setCopied(true);
    } catch {
      select(shownIn.current);
      toast.info("Your browser does not let us copy", "It is selected now: copy it yourself.");
    }
  }

  return (
    <Button variant="secondary" onClick={() => void copy()}>
      {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
      {copied ? "Copied" : "Copy"}
    </Button>
  );
}

function select(element: HTMLElement | null): void {
  if (element instanceof HTMLInputElement) element.select();
  else if (element) window.getSelection()?.selectAllChildren(element);
}
