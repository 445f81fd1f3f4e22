"use client";

import { createContext, type ReactNode, useContext } from "react";

import type { CurrentUser } from "@/lib/api/types";

const CurrentUserContext = createContext<CurrentUser | null>(null);

export function CurrentUserProvider({ user, children }: { user: CurrentUser; children: ReactNode }) {
  return <CurrentUserContext value={user}>{children}</CurrentUserContext>;
}

/** Who is signed in. Only below the app layout, where there always is somebody. */
export function useCurrentUser(): CurrentUser {
  const user = useContext(CurrentUserContext);
  if (!user) throw new Error("useCurrentUser needs the app layout above it");
  return user;
}

/** Hides what would be refused; the API is what refuses. */
export function can(user: CurrentUser, permission: string): boolean {
  const [slice] = permission.split(":");
  return user.permissions.some((held) => held === permission || held === "*" || held === `${slice}:*`);
}
