"use client";

import { Trash2 } from "lucide-react";

import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirm-dialog";
import { toast } from "@/components/ui/toast";
import type { Message } from "@/lib/api/types";
import { can, useCurrentUser } from "@/lib/current-user";

import { useRemoveMessage } from "../api/removal";
import { authorOf } from "../title";

/** For whoever said it, and for those who moderate. Seen where a pointer or the keyboard is, and always by touch. */
export function RemoveMessage({ message }: { message: Message }) {
  const user = useCurrentUser();
  const remove = useRemoveMessage(message);
  const mine = message.author?.id === user.id;
  if (!mine && !can(user, "conversations:moderate")) return null;
  return (
    <ConfirmDialog
      trigger={
        <Button
          variant="ghost"
          size="icon"
          aria-label={`Remove message: ${message.body.slice(0, 60)}`}
          className="size-7 self-center opacity-0 group-focus-within/message:opacity-100 group-hover/message:opacity-100 focus-visible:opacity-100 pointer-coarse:opacity-60"
        >
          <Trash2 aria-hidden />
        </Button>
      }
      title="Remove this message?"
      description={`${mine ? "Your message" : `What ${authorOf(message, user.id)} wrote`} is taken away from everybody.`}
      action="Remove the message"
      onConfirm={() =>
        remove.mutateAsync(undefined, {
          onError: (error) => toast.error("The message was not removed", error),
        })
      }
    />
  );
}
