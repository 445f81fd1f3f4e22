import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { JobList } from "@/features/jobs/components/job-list";

import { Permitted } from "../_components/permitted";

export const metadata: Metadata = { title: "Jobs" };

export default function JobsPage() {
  return (
    <Permitted permission="jobs:read">
      <PageHeader title="Jobs">Durable requests for background work, newest first.</PageHeader>
      <Suspense>
        <JobList />
      </Suspense>
    </Permitted>
  );
}
