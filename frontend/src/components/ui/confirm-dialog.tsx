"use client";

import type { ReactElement } from "react";
import { useState } from "react";

import { Button } from "./button";
import { Dialog, DialogClose, DialogContent, DialogFooter, DialogTrigger } from "./dialog";

interface ConfirmDialogProps {
  trigger: ReactElement;
  title: string;
  description: string;
  /** The button says what will happen, not "OK". */
  action: string;
  /** So does the other one, where there is nothing to keep. */
  dismiss?: string;
  onConfirm: () => Promise<unknown> | void;
}

export function ConfirmDialog({
  trigger,
  title,
  description,
  action,
  dismiss = "Keep it",
  onConfirm,
}: ConfirmDialogProps) {
  const [open, setOpen] = useState(false);
  const [pending, setPending] = useState(false);

  async function confirm() {
    setPending(true);
    try {
      await onConfirm();
      setOpen(false);
    } finally {
      setPending(false);
    }
  }

  return (
    <Dialog open={open} onOpenChange={setOpen}>
      <DialogTrigger render={trigger} />
      <DialogContent title={title} description={description} className="max-w-md">
        <DialogFooter className="mt-0">
          <DialogClose render={<Button variant="secondary">{dismiss}</Button>} />
          <Button variant="danger" pending={pending} onClick={() => void confirm().catch(() => undefined)}>
            {action}
          </Button>
        </DialogFooter>
      </DialogContent>
    </Dialog>
  );
}
