"use client";

import { parseAsString, parseAsStringLiteral, useQueryStates } from "nuqs";

import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { can, useCurrentUser } from "@/lib/current-user";

import { ConnectionDrawer } from "./connection-drawer";
import { ConnectionList } from "./connection-list";
import { EndingList } from "./ending-list";
import { NamespaceList } from "./namespace-list";
import { NodeFigures } from "./node-figures";
import { ShardList } from "./shard-list";
import { TracePanel } from "./trace-panel";

const TABS = ["connections", "endings", "traces", "namespaces", "shards"] as const;

/** Everything that operators see of realtime. What is open is in the address, so that it can be sent to others. */
export function InspectionTabs() {
  const user = useCurrentUser();
  const [{ tab, client, trace }, set] = useQueryStates(
    {
      tab: parseAsStringLiteral(TABS).withDefault("connections"),
      client: parseAsString,
      trace: parseAsString,
    },
    { history: "push" },
  );
  const mayTrace = can(user, "realtime:admin");
  return (
    <>
      <Tabs value={tab} onValueChange={(next: (typeof TABS)[number]) => void set({ tab: next })}>
        <TabsList>
          <Tab value="connections">Connections</Tab>
          <Tab value="endings">Ended</Tab>
          {mayTrace ? <Tab value="traces">Traces</Tab> : null}
          <Tab value="namespaces">Namespaces</Tab>
          <Tab value="shards">Shards</Tab>
        </TabsList>
        <TabPanel value="connections" className="space-y-6">
          <NodeFigures />
          <ConnectionList onOpen={(opened) => void set({ client: opened })} />
        </TabPanel>
        <TabPanel value="endings">
          <EndingList onOpen={(opened) => void set({ client: opened })} />
        </TabPanel>
        {mayTrace ? (
          <TabPanel value="traces">
            <TracePanel traceId={trace} onOpen={(opened) => void set({ trace: opened })} />
          </TabPanel>
        ) : null}
        <TabPanel value="namespaces">
          <NamespaceList />
        </TabPanel>
        <TabPanel value="shards">
          <ShardList />
        </TabPanel>
      </Tabs>
      <ConnectionDrawer
        client={client}
        onClose={() => void set({ client: null }, { history: "replace" })}
        onTrace={(started) => void set({ client: null, tab: "traces", trace: started })}
      />
    </>
  );
}
