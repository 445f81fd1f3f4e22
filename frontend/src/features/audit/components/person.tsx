"use client";

import { usePerson } from "../api/people";

/** Who acted: by name where the name is known. */
export function Person({ userId }: { userId: string | null }) {
  if (userId === null) return <span className="text-muted-foreground">Nobody known</span>;
  return <Named userId={userId} />;
}

function Named({ userId }: { userId: string }) {
  const person = usePerson(userId);
  return <span title={userId}>{person.data?.username ?? userId}</span>;
}
