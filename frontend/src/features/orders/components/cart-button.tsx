"use client";

import { ShoppingCart } from "lucide-react";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Drawer, DrawerTrigger } from "@/components/ui/drawer";
import { useCartLines } from "@/lib/cart";

import { useIsPlacing } from "../api/orders";
import { CartDrawer } from "./cart-drawer";

export function CartButton() {
  const [open, setOpen] = useState(false);
  const placing = useIsPlacing();
  const count = useCartLines().reduce((sum, line) => sum + line.quantity, 0);
  return (
    // While an order is on its way, its outcome is waited for.
    <Drawer open={open} onOpenChange={(next) => setOpen(next || placing)}>
      <DrawerTrigger
        render={
          <Button
            variant="ghost"
            size="icon"
            className="relative"
            aria-label={count > 0 ? `Cart, ${count} ${count === 1 ? "item" : "items"}` : "Cart, empty"}
          >
            <ShoppingCart aria-hidden />
            {count > 0 ? (
              <span
                aria-hidden
                className="absolute top-0.5 right-0.5 flex h-4 min-w-4 items-center justify-center rounded-full bg-primary px-1 text-[0.625rem] font-semibold text-primary-foreground"
              >
                {count > 99 ? "99+" : count}
              </span>
            ) : null}
          </Button>
        }
      />
      <CartDrawer onClose={() => setOpen(false)} />
    </Drawer>
  );
}
