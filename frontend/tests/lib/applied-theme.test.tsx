import { act, renderHook } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";

import { useAppliedTheme } from "@/lib/hooks/use-applied-theme";

const page = document.documentElement;

afterEach(() => page.classList.remove("dark"));

describe("useAppliedTheme", () => {
  it("follows the page's class, and says a theme only once the page has it", async () => {
    const seen: string[] = [];
    renderHook(() => {
      const theme = useAppliedTheme();
      seen.push(`${theme} on ${page.classList.contains("dark") ? "dark" : "light"}`);
    });
    await act(async () => page.classList.add("dark"));
    await act(async () => page.classList.remove("dark"));
    expect(seen).toEqual(["light on light", "dark on dark", "light on light"]);
  });
});
