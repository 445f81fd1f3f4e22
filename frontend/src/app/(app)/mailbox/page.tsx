import type { Metadata } from "next";

import { PageHeader } from "@/components/ui/page-header";
import { Mailbox } from "@/features/mailbox/components/mailbox";

export const metadata: Metadata = { title: "Mailbox" };

export default function MailboxPage() {
  return (
    <>
      <PageHeader title="Mailbox">
        What would have been sent, kept here while there is no mail server.
      </PageHeader>
      <Mailbox />
    </>
  );
}
