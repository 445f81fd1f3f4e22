"use client";

import { Inbox, MailOpen } from "lucide-react";
import { useState } from "react";

import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { QueryState } from "@/components/ui/query-state";
import { RelativeTime } from "@/components/ui/relative-time";
import { LoadingCard, SkeletonRows } from "@/components/ui/skeleton";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { ApiError } from "@/lib/api/problem";
import { cn } from "@/lib/cn";
import { formatDateTime } from "@/lib/format";

import { useMail, useMailbox } from "../api/mail";

export function Mailbox() {
  const mailbox = useMailbox();
  const [openedId, setOpenedId] = useState<string | null>(null);
  return (
    <QueryState
      query={mailbox}
      loading={<LoadingCard />}
      failed={(error) =>
        error instanceof ApiError && error.status === 404 ? (
          <Card>
            <Empty icon={Inbox} title="There is no mailbox here">
              In production, mail goes to the people it is for.
            </Empty>
          </Card>
        ) : null
      }
    >
      {({ items }) =>
        items.length === 0 ? (
          <Card>
            <Empty icon={Inbox} title="No mail yet">
              Register an account: its welcome e-mail lands here.
            </Empty>
          </Card>
        ) : (
          <Card className="grid min-h-96 overflow-hidden md:grid-cols-[20rem_1fr]">
            <ul
              aria-label="Mail"
              className="max-h-[70dvh] divide-y overflow-y-auto max-md:border-b md:border-r"
            >
              {items.map((mail) => (
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
                        <RelativeTime at={mail.created_at} />
                      </span>
                    </span>
                    <span className="block truncate text-xs text-muted-foreground">{mail.to}</span>
                  </button>
                </li>
              ))}
            </ul>
            <Opened mailId={openedId} />
          </Card>
        )
      }
    </QueryState>
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
  return (
    <QueryState query={mail} loading={<SkeletonRows rows={3} />}>
      {({ subject, to, created_at, body_text, body_html }) => (
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
      )}
    </QueryState>
  );
}

function Plain({ text }: { text: string }) {
  return (
    <pre className="rounded-md bg-muted p-4 font-sans text-sm leading-relaxed break-words whitespace-pre-wrap">
      {text}
    </pre>
  );
}
