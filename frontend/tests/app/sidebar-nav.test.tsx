import { screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";

import { SidebarNav } from "@/app/(app)/_components/sidebar-nav";
import { NAVIGATION } from "@/app/(app)/_components/navigation";
import { isPrivate } from "@/lib/paths";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";

vi.mock("next/navigation", () => ({ usePathname: () => "/audit" }));

const links = () => screen.getAllByRole("link").map(({ textContent }) => textContent);

it("leads to the pages that one may see", () => {
  const { view } = renderApp(<SidebarNav />, { user: currentUser({ permissions: [] }) });
  expect(links()).toEqual(["Dashboard", "Catalogue", "Orders", "Conversations", "Exports", "Settings"]);
  view.unmount();
  renderApp(<SidebarNav />, { user: currentUser({ permissions: ["audit:read"] }) });
  expect(screen.getByRole("link", { name: "Audit" })).toHaveAttribute("aria-current", "page");
  expect(links()).not.toContain("Jobs");
});

it("leads to pages of those who are signed in only", () => {
  const pages = NAVIGATION.flatMap(({ items }) => items.map(({ href }) => href));
  expect(pages.filter((href) => !isPrivate(href))).toEqual([]);
});
