import type { Metadata } from "next";

import { PageHeader } from "@/components/ui/page-header";
import { Mailbox } from "@/features/mailbox/components/mailbox";

import { Permitted } from "../_components/permitted";

export const metadata: Metadata = { title: "Mailbox" };

export default function MailboxPage() {
  return (
    <Permitted permission="mailbox:read">
      <PageHeader title="Mailbox">
        What would have been sent, kept here while there is no mail server.
      </PageHeader>
      <Mailbox />
    </Permitted>
  );
}
