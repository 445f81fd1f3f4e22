import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { AuditTabs } from "@/features/audit/components/audit-tabs";

import { Permitted } from "../_components/permitted";

export const metadata: Metadata = { title: "Audit" };

export default function AuditPage() {
  return (
    <Permitted permission="audit:read">
      <PageHeader title="Audit">Who did what security depends on, and what became of accounts.</PageHeader>
      <Suspense>
        <AuditTabs />
      </Suspense>
    </Permitted>
  );
}
