"use client";

import { Monitor, Moon, Sun } from "lucide-react";
import { useTheme } from "next-themes";

import { Button } from "./button";
import { Menu, MenuChoice, MenuContent, MenuTrigger } from "./menu";

const THEMES = [
  { value: "light", label: "Light", icon: Sun },
  { value: "dark", label: "Dark", icon: Moon },
  { value: "system", label: "As the system", icon: Monitor },
] as const;

export function ThemeToggle() {
  const { theme, setTheme } = useTheme();
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
        <MenuChoice
          label="Theme"
          options={THEMES}
          value={theme ?? "system"}
          onChange={(value) => setTheme(value)}
        />
      </MenuContent>
    </Menu>
  );
}
