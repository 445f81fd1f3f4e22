import type { Metadata } from "next";
import { Suspense } from "react";

import { PageHeader } from "@/components/ui/page-header";
import { PeopleList } from "@/features/people/components/people-list";

import { Permitted } from "../_components/permitted";

export const metadata: Metadata = { title: "People" };

export default function PeoplePage() {
  return (
    <Permitted permission="users:read">
      <PageHeader title="People">
        Accounts, the newest first: who may do what, and who may sign in.
      </PageHeader>
      <Suspense>
        <PeopleList />
      </Suspense>
    </Permitted>
  );
}
