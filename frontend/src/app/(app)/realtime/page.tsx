import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { InspectionTabs } from "@/features/realtime_inspection/components/inspection-tabs";

import { Permitted } from "../_components/permitted";

export const metadata: Metadata = { title: "Realtime" };

export default function RealtimePage() {
  return (
    <Permitted permission="realtime:read">
      <PageHeader title="Realtime">Who is connected, to what, and what they send and receive.</PageHeader>
      <Suspense>
        <InspectionTabs />
      </Suspense>
    </Permitted>
  );
}
