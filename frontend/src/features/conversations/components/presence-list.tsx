"use client";

import { Avatar } from "@/components/ui/avatar";
import type { Conversation } from "@/lib/api/types";
import { useCurrentUser } from "@/lib/current-user";
import { channels } from "@/lib/realtime/events";
import { usePresence } from "@/lib/realtime/hooks";

/** Who has the conversation open now, and who else takes part. */
export function PresenceList({ conversation }: { conversation: Conversation }) {
  const user = useCurrentUser();
  const present = usePresence(channels.conversation(conversation.id));
  const here = new Set(present.map((member) => member.user));
  const away = conversation.participants.filter(({ id }) => !here.has(id));
  return (
    <div className="space-y-5 p-4">
      <section>
        <h2 className="mb-2 text-xs font-medium tracking-normal text-muted-foreground">
          Here now <span className="tabular-nums">({present.length})</span>
        </h2>
        <p className="sr-only" role="status">
          {present.length} here now
        </p>
        <ul aria-label="Here now" className="space-y-1">
          {present.map(({ user: id, name }) => (
            <li key={id} className="flex items-center gap-2.5 py-1 text-sm" data-testid="present">
              <Avatar name={name} online className="size-7" />
              <span className="truncate">
                {name}
                {id === user.id ? <span className="text-muted-foreground"> (you)</span> : null}
              </span>
            </li>
          ))}
        </ul>
      </section>
      {away.length > 0 ? (
        <section>
          <h2 className="mb-2 text-xs font-medium tracking-normal text-muted-foreground">
            Away <span className="tabular-nums">({away.length})</span>
          </h2>
          <ul aria-label="Away" className="space-y-1">
            {away.map(({ id, username }) => (
              <li key={id} className="flex items-center gap-2.5 py-1 text-sm text-muted-foreground">
                <Avatar name={username} className="size-7 opacity-60 grayscale" />
                <span className="truncate">{username}</span>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </div>
  );
}

/** The same in one line, for the head of the thread. */
export function PresenceSummary({ conversationId }: { conversationId: string }) {
  const present = usePresence(channels.conversation(conversationId));
  const SHOWN = 4;
  return (
    <span className="flex items-center gap-2">
      <span className="flex -space-x-2">
        {present.slice(0, SHOWN).map(({ user, name }) => (
          <Avatar key={user} name={name} className="size-6 rounded-full ring-2 ring-card" />
        ))}
      </span>
      <span className="text-xs text-muted-foreground tabular-nums">{present.length} here</span>
    </span>
  );
}
