import type { Metadata } from "next";

import { AccountPage } from "@/features/people/components/account-page";

import { Permitted } from "../../_components/permitted";

export const metadata: Metadata = { title: "Account" };

export default async function Page({ params }: PageProps<"/people/[id]">) {
  return (
    <Permitted permission="users:read">
      <AccountPage userId={(await params).id} />
    </Permitted>
  );
}
