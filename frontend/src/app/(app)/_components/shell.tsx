"use client";

import { Menu as MenuIcon } from "lucide-react";
import Link from "next/link";
import { type ReactNode, useState } from "react";

import { Button } from "@/components/ui/button";
import { Drawer, DrawerContent, DrawerTrigger } from "@/components/ui/drawer";
import { Logo } from "@/components/ui/logo";
import { ThemeToggle } from "@/components/ui/theme-toggle";
import { VerificationBanner } from "@/features/auth/components/verification-banner";
import { NotificationBell } from "@/features/notifications/components/notification-bell";
import { CartButton } from "@/features/orders/components/cart-button";

import { ConnectionIndicator } from "./connection-indicator";
import { SidebarNav } from "./sidebar-nav";
import { useFollowNotification } from "./use-follow-notification";
import { UserMenu } from "./user-menu";

export function Shell({ children }: { children: ReactNode }) {
  const [menuOpen, setMenuOpen] = useState(false);
  const followNotification = useFollowNotification();
  return (
    <div className="grid min-h-dvh lg:grid-cols-[15.5rem_1fr]">
      <aside className="sticky top-0 hidden h-dvh flex-col border-r bg-sidebar lg:flex">
        <div className="flex h-15 items-center px-5">
          <Link href="/dashboard" className="rounded-md">
            <Logo />
          </Link>
        </div>
        <SidebarNav />
      </aside>
      {/* A page that fills the window (`data-fill`) is as high as what the header leaves, and scrolls within. */}
      <div className="flex min-w-0 flex-col has-[[data-fill]]:h-dvh">
        <header className="sticky top-0 z-30 flex h-15 items-center gap-1 border-b bg-background/85 px-3 backdrop-blur-md sm:gap-2 sm:px-6">
          <Drawer open={menuOpen} onOpenChange={setMenuOpen}>
            <DrawerTrigger
              render={
                <Button variant="ghost" size="icon" aria-label="Open navigation" className="lg:hidden">
                  <MenuIcon aria-hidden />
                </Button>
              }
            />
            <DrawerContent title="Mobula" side="left" className="max-w-72 bg-sidebar">
              <SidebarNav onNavigate={() => setMenuOpen(false)} />
            </DrawerContent>
          </Drawer>
          <ConnectionIndicator />
          <div className="flex-1" />
          <CartButton />
          <NotificationBell onNotification={followNotification} />
          <ThemeToggle />
          <span className="w-1" />
          <UserMenu />
        </header>
        <VerificationBanner />
        <main
          id="main"
          tabIndex={-1}
          className="mx-auto w-full max-w-6xl flex-1 px-4 py-6 outline-none has-[[data-fill]]:flex has-[[data-fill]]:min-h-108 has-[[data-fill]]:flex-col sm:px-6 sm:py-8"
        >
          {children}
        </main>
      </div>
    </div>
  );
}
