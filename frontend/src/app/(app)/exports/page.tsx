import type { Metadata } from "next";

import { PageHeader } from "@/components/ui/page-header";
import { ExportForm } from "@/features/exports/components/export-form";
import { ExportList } from "@/features/exports/components/export-list";

export const metadata: Metadata = { title: "Exports" };

export default function ExportsPage() {
  return (
    <>
      <PageHeader title="Exports">One consistent snapshot of the data, as a file.</PageHeader>
      <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-[20rem_minmax(0,1fr)]">
        <ExportForm />
        <ExportList />
      </div>
    </>
  );
}
