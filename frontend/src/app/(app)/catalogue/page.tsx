import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { Catalogue } from "@/features/products/components/catalogue";
import { StaffBar } from "@/features/products/components/staff-bar";

export const metadata: Metadata = { title: "Catalogue" };

export default function CataloguePage() {
  return (
    <>
      <PageHeader title="Catalogue" actions={<StaffBar />}>
        Prices and stock are the shop&apos;s, as of now.
      </PageHeader>
      <Suspense>
        <Catalogue />
      </Suspense>
    </>
  );
}
