"use client";

import { Menu as BaseMenu } from "@base-ui/react/menu";
import { Check, type LucideIcon } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";

import { cn } from "@/lib/cn";

export const Menu = BaseMenu.Root;
export const MenuTrigger = BaseMenu.Trigger;

export function MenuContent({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <BaseMenu.Portal>
      <BaseMenu.Positioner className="z-50 outline-hidden" sideOffset={6} align="end">
        <BaseMenu.Popup
          data-slot="menu"
          className={cn(
            "min-w-48 origin-(--transform-origin) rounded-md border bg-popover p-1 shadow-float outline-hidden transition-[scale,opacity] duration-100 data-ending-style:scale-98 data-ending-style:opacity-0 data-starting-style:scale-98 data-starting-style:opacity-0",
            className,
          )}
        >
          {children}
        </BaseMenu.Popup>
      </BaseMenu.Positioner>
    </BaseMenu.Portal>
  );
}

const itemClass =
  "flex cursor-default items-center gap-2.5 rounded-sm px-2.5 py-2 text-sm outline-hidden select-none data-highlighted:bg-muted [&_svg]:size-4 [&_svg]:text-muted-foreground";

export function MenuItem({ className, ...props }: ComponentProps<typeof BaseMenu.Item>) {
  return <BaseMenu.Item data-slot="menu-item" className={cn(itemClass, className)} {...props} />;
}

export function MenuLinkItem({ className, ...props }: ComponentProps<typeof BaseMenu.LinkItem>) {
  return <BaseMenu.LinkItem data-slot="menu-item" className={cn(itemClass, className)} {...props} />;
}

interface MenuChoiceProps {
  label: string;
  options: readonly { value: string; label: string; icon: LucideIcon }[];
  value: string;
  onChange: (value: string) => void;
}

/** One of several, with a tick at the one that holds. */
export function MenuChoice({ label, options, value, onChange }: MenuChoiceProps) {
  return (
    <BaseMenu.RadioGroup aria-label={label} value={value} onValueChange={onChange}>
      {options.map(({ value: own, label: text, icon: Icon }) => (
        <BaseMenu.RadioItem key={own} value={own} closeOnClick data-slot="menu-item" className={itemClass}>
          <Icon aria-hidden />
          <span className="flex-1">{text}</span>
          <BaseMenu.RadioItemIndicator>
            <Check aria-hidden className="text-primary!" />
          </BaseMenu.RadioItemIndicator>
        </BaseMenu.RadioItem>
      ))}
    </BaseMenu.RadioGroup>
  );
}

export function MenuSeparator() {
  return <BaseMenu.Separator className="mx-1 my-1 h-px bg-border" />;
}
