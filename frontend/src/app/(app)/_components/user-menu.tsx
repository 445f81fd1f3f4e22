"use client";

import { LogOut, MonitorSmartphone, Settings } from "lucide-react";
import Link from "next/link";

import { Avatar } from "@/components/ui/avatar";
import { Menu, MenuContent, MenuItem, MenuLinkItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { useLogout } from "@/features/auth/api/session";
import { useCurrentUser } from "@/lib/current-user";

export function UserMenu() {
  const user = useCurrentUser();
  const logout = useLogout();
  return (
    <Menu>
      <MenuTrigger aria-label={`Account: ${user.username}`} className="rounded-full">
        <Avatar name={user.username} />
      </MenuTrigger>
      <MenuContent className="min-w-56">
        <div className="px-2.5 py-2">
          <p className="truncate text-sm font-semibold">{user.username}</p>
          <p className="truncate text-xs text-muted-foreground">{user.email}</p>
        </div>
        <MenuSeparator />
        <MenuLinkItem render={<Link href="/settings" />}>
          <Settings aria-hidden /> Settings
        </MenuLinkItem>
        <MenuLinkItem render={<Link href="/settings?tab=sessions" />}>
          <MonitorSmartphone aria-hidden /> Sessions
        </MenuLinkItem>
        <MenuSeparator />
        <MenuItem
          onClick={() =>
            logout.mutate(false, { onError: (error) => toast.error("Signing out did not work", error) })
          }
        >
          <LogOut aria-hidden /> Sign out
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}
