import {
  ClipboardList,
  Inbox,
  LayoutDashboard,
  ListChecks,
  type LucideIcon,
  MessagesSquare,
  PackageSearch,
  RadioTower,
  Receipt,
  ScrollText,
  Settings,
  Share,
  UsersRound,
} from "lucide-react";

export interface NavigationItem {
  href: string;
  label: string;
  icon: LucideIcon;
  /** Shown only to people who hold it. */
  permission?: string;
}

export interface NavigationGroup {
  title: string;
  items: readonly NavigationItem[];
}

export const NAVIGATION: readonly NavigationGroup[] = [
  {
    title: "Shop",
    items: [
      { href: "/dashboard", label: "Dashboard", icon: LayoutDashboard },
      { href: "/catalogue", label: "Catalogue", icon: PackageSearch },
      { href: "/orders", label: "Orders", icon: Receipt },
      { href: "/conversations", label: "Conversations", icon: MessagesSquare },
      { href: "/exports", label: "Exports", icon: Share },
    ],
  },
  {
    title: "Operations",
    items: [
      { href: "/desk", label: "Order desk", icon: ClipboardList, permission: "orders:read_all" },
      { href: "/people", label: "People", icon: UsersRound, permission: "users:read" },
      { href: "/realtime", label: "Realtime", icon: RadioTower, permission: "realtime:read" },
      { href: "/jobs", label: "Jobs", icon: ListChecks, permission: "jobs:read" },
      { href: "/audit", label: "Audit", icon: ScrollText, permission: "audit:read" },
      { href: "/mailbox", label: "Mailbox", icon: Inbox, permission: "mailbox:read" },
    ],
  },
  { title: "You", items: [{ href: "/settings", label: "Settings", icon: Settings }] },
];
