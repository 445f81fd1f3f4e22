"use client";

import { Inbox, MailOpen } from "lucide-react";
import { useState } from "react";

import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { ErrorState } from "@/components/ui/error-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { ApiError } from "@/lib/api/problem";
import { cn } from "@/lib/cn";
import { formatDateTime, formatRelative } from "@/lib/format";

import { useMail, useMailbox } from "../api/mail";

export function Mailbox() {
  const mailbox = useMailbox();
  const [openedId, setOpenedId] = useState<string | null>(null);
  if (mailbox.isPending) {
    return (
      <Card>
        <SkeletonRows />
      </Card>
    );
  }
  if (mailbox.isError) {
    const production = mailbox.error instanceof ApiError && mailbox.error.status === 404;
    return (
      <Card>
        {production ? (
          <Empty icon={Inbox} title="There is no mailbox here">
            In production, mail goes to the people it is for.
          </Empty>
        ) : (
          <ErrorState error={mailbox.error} onRetry={() => void mailbox.refetch()} />
        )}
      </Card>
    );
  }
  if (mailbox.data.items.length === 0) {
    return (
      <Card>
        <Empty icon={Inbox} title="No mail yet">
          Register an account: its welcome e-mail lands here.
        </Empty>
      </Card>
    );
  }
  return (
    <Card className="grid min-h-96 overflow-hidden md:grid-cols-[20rem_1fr]">
      <ul aria-label="Mail" className="max-h-[70dvh] divide-y overflow-y-auto max-md:border-b md:border-r">
        {mailbox.data.items.map((mail) => (
          <li key={mail.id}>
            <button
              type="button"
              aria-pressed={mail.id === openedId}
              onClick={() => setOpenedId(mail.id)}
              className={cn(
                "w-full px-4 py-3 text-left transition-colors focus-visible:-outline-offset-2",
                mail.id === openedId ? "bg-primary-soft" : "hover:bg-muted",
              )}
            >
              <span className="flex items-baseline justify-between gap-3">
                <span className="truncate text-sm font-medium">{mail.subject}</span>
                <span className="shrink-0 text-xs text-muted-foreground">
                  {formatRelative(mail.created_at)}
                </span>
              </span>
              <span className="block truncate text-xs text-muted-foreground">{mail.to}</span>
            </button>
          </li>
        ))}
      </ul>
      <Opened mailId={openedId} />
    </Card>
  );
}

function Opened({ mailId }: { mailId: string | null }) {
  const mail = useMail(mailId);
  if (mailId === null) {
    return (
      <div className="flex items-center justify-center">
        <Empty icon={MailOpen} title="Pick a message" />
      </div>
    );
  }
  if (mail.isPending) return <SkeletonRows rows={3} />;
  if (mail.isError) return <ErrorState error={mail.error} onRetry={() => void mail.refetch()} />;
  const { subject, to, created_at, body_text, body_html } = mail.data;
  return (
    <article className="min-w-0 p-5">
      <h2 className="text-lg font-semibold">{subject}</h2>
      <p className="mt-1 text-sm text-muted-foreground">
        To {to} · {formatDateTime(created_at)}
      </p>
      {body_html ? (
        <Tabs defaultValue="html" className="mt-4">
          <TabsList>
            <Tab value="html">Formatted</Tab>
            <Tab value="text">Text</Tab>
          </TabsList>
          <TabPanel value="html" className="pt-4">
            {/* No scripts, no forms, no access to us: a mail is somebody else's document. Its links open beside us. */}
            <iframe
              title={subject}
              sandbox="allow-popups allow-popups-to-escape-sandbox"
              srcDoc={`<base target="_blank">${body_html}`}
              className="h-96 w-full rounded-md border bg-white"
            />
          </TabPanel>
          <TabPanel value="text" className="pt-4">
            <Plain text={body_text} />
          </TabPanel>
        </Tabs>
      ) : (
        <div className="mt-4">
          <Plain text={body_text} />
        </div>
      )}
    </article>
  );
}

function Plain({ text }: { text: string }) {
  return (
    <pre className="rounded-md bg-muted p-4 font-sans text-sm leading-relaxed break-words whitespace-pre-wrap">
      {text}
    </pre>
  );
}
