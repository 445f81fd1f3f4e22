"use client";

import { Hash } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/empty";
import { toast } from "@/components/ui/toast";

import { useJoinConversation } from "../api/conversations";

/** Instead of a conversation that is open to everyone, until one has joined. */
export function JoinPrompt({ id, title }: { id: string; title: string }) {
  const join = useJoinConversation();
  return (
    <Empty
      icon={Hash}
      title={title}
      action={
        <Button
          pending={join.isPending}
          onClick={() => join.mutate(id, { onError: (error) => toast.error("Joining did not work", error) })}
        >
          Join conversation
        </Button>
      }
    >
      This conversation is open to everyone. Join to read and write.
    </Empty>
  );
}
