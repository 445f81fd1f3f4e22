"use client";

import { useTheme } from "next-themes";
import { useSyncExternalStore } from "react";

/** `--background` of both themes (`globals.css`), for the browser's own bars. */
const COLOURS = { light: "#f7fafb", dark: "#0b1319" } as const;

const never = () => () => undefined;

/** The browser's bars have the colour of the theme that was chosen; of the system's, as long as nobody has chosen. */
export function ThemeColour() {
  const { theme } = useTheme();
  // What was chosen is known in the browser only, and what the server has sent must be taken over first.
  const inBrowser = useSyncExternalStore(
    never,
    () => true,
    () => false,
  );
  if (inBrowser && (theme === "light" || theme === "dark"))
    return <meta key="chosen" name="theme-color" content={COLOURS[theme]} />;
  return (
    <>
      <meta name="theme-color" media="(prefers-color-scheme: light)" content={COLOURS.light} />
      <meta name="theme-color" media="(prefers-color-scheme: dark)" content={COLOURS.dark} />
    </>
  );
}
