"use client";

import { parseAsString, parseAsStringLiteral, useQueryStates } from "nuqs";

import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";

import { ChangeList } from "./change-list";
import { EntryList } from "./entry-list";

const TABS = ["acts", "accounts"] as const;

export function AuditTabs() {
  const [{ tab }, set] = useQueryStates(
    {
      tab: parseAsStringLiteral(TABS).withDefault("acts"),
      account: parseAsString,
      changes: parseAsString,
    },
    { history: "push" },
  );
  return (
    <Tabs value={tab} onValueChange={(value: (typeof TABS)[number]) => void set({ tab: value })}>
      <TabsList>
        <Tab value="acts">Acts</Tab>
        <Tab value="accounts">Accounts</Tab>
      </TabsList>
      <TabPanel value="acts">
        <EntryList onAccount={(account) => void set({ tab: "accounts", account, changes: null })} />
      </TabPanel>
      <TabPanel value="accounts">
        <ChangeList />
      </TabPanel>
    </Tabs>
  );
}
