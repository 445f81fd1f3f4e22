import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";

import { ThemeToggle } from "@/components/ui/theme-toggle";

const setTheme = vi.fn();
vi.mock("next-themes", () => ({ useTheme: () => ({ theme: "dark", setTheme }) }));

it("shows which theme was chosen, and takes another", async () => {
  render(<ThemeToggle />);
  await userEvent.click(screen.getByRole("button", { name: "Theme" }));
  expect(await screen.findByRole("menuitemradio", { name: "Dark" })).toBeChecked();
  expect(screen.getByRole("menuitemradio", { name: "Light" })).not.toBeChecked();
  await userEvent.click(screen.getByRole("menuitemradio", { name: "As the system" }));
  expect(setTheme).toHaveBeenCalledWith("system");
});
