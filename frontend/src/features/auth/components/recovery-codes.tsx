"use client";

import { Download, TriangleAlert } from "lucide-react";
import { useRef } from "react";

import { Button, buttonVariants } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { useLeaveGuard } from "@/lib/hooks/use-leave-guard";

/** Shown once: the server keeps only their hashes. */
export function RecoveryCodes({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  const list = useRef<HTMLUListElement>(null);
  useLeaveGuard("Leave without your recovery codes? They are not shown again.");
  const text = `${codes.join("\n")}\n`;
  return (
    <div className="space-y-4">
      <div className="flex gap-2.5 rounded-md bg-warning-soft px-3 py-2.5 text-sm text-warning">
        <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
        <p>
          <strong className="font-medium">Keep these recovery codes where you keep your passwords.</strong>{" "}
          Each signs you in once when you do not have your authenticator app. They are not shown again.
        </p>
      </div>
      <ul
        ref={list}
        aria-label="Recovery codes"
        className="grid grid-cols-[repeat(auto-fill,minmax(10rem,1fr))] gap-x-6 gap-y-1.5 rounded-md border bg-muted/50 p-4 font-mono text-sm tracking-wide select-all"
      >
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="flex flex-wrap gap-2">
        <Button onClick={onDone}>I have kept them</Button>
        <CopyButton text={text} shownIn={list} />
        <a
          href={`data:text/plain;charset=utf-8,${encodeURIComponent(text)}`}
          download="mobula-recovery-codes.txt"
          className={buttonVariants({ variant: "secondary" })}
        >
          <Download aria-hidden /> Download
        </a>
      </div>
    </div>
  );
}
