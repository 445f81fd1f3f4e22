"use client";

import { Monitor, Moon, Sun } from "lucide-react";
import { useTheme } from "next-themes";

import { Button } from "./button";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "./menu";

const THEMES = [
  { value: "light", label: "Light", icon: Sun },
  { value: "dark", label: "Dark", icon: Moon },
  { value: "system", label: "As the system", icon: Monitor },
] as const;

export function ThemeToggle() {
  const { setTheme } = useTheme();
  return (
    <Menu>
      <MenuTrigger
        render={
          <Button variant="ghost" size="icon" aria-label="Theme">
            <Sun aria-hidden className="dark:hidden" />
            <Moon aria-hidden className="hidden dark:block" />
          </Button>
        }
      />
      <MenuContent className="min-w-40">
        {THEMES.map(({ value, label, icon: Icon }) => (
          <MenuItem key={value} onClick={() => setTheme(value)}>
            <Icon aria-hidden /> {label}
          </MenuItem>
        ))}
      </MenuContent>
    </Menu>
  );
}
