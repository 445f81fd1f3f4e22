import { render } from "@testing-library/react";
import { renderToString } from "react-dom/server";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { ThemeColour } from "@/app/_components/theme-colour";

let theme: string | undefined;
vi.mock("next-themes", () => ({ useTheme: () => ({ theme }) }));

const colours = () =>
  [...document.querySelectorAll('meta[name="theme-color"]')].map((meta) => [
    meta.getAttribute("media"),
    meta.getAttribute("content"),
  ]);
const THE_SYSTEM_S = [
  ["(prefers-color-scheme: light)", "#f7fafb"],
  ["(prefers-color-scheme: dark)", "#0b1319"],
];

describe("the colour of the browser's bars", () => {
  beforeEach(() => (theme = undefined));

  it.each([
    ["system", THE_SYSTEM_S],
    ["light", [[null, "#f7fafb"]]],
    ["dark", [[null, "#0b1319"]]],
  ])("is that of the theme that was chosen (%s)", (chosen, expected) => {
    theme = chosen;
    render(<ThemeColour />);
    expect(colours()).toEqual(expected);
  });

  it("follows another choice", () => {
    theme = "system";
    const { rerender } = render(<ThemeColour />);
    theme = "dark";
    rerender(<ThemeColour />);
    expect(colours()).toEqual([[null, "#0b1319"]]);
  });

  it("is the system's on the server, which does not know what was chosen", () => {
    theme = "dark";
    expect(renderToString(<ThemeColour />)).toContain("prefers-color-scheme: light");
  });
});
