import {
  Activity,
  Database,
  FileDown,
  Gauge,
  KeyRound,
  ListChecks,
  type LucideIcon,
  MessagesSquare,
  Radio,
} from "lucide-react";
import Link from "next/link";

import { buttonVariants } from "@/components/ui/button";
import { LiveDot } from "@/components/ui/live-dot";
import { Logo } from "@/components/ui/logo";
import { ThemeToggle } from "@/components/ui/theme-toggle";
import { cn } from "@/lib/cn";
import { HOME } from "@/lib/paths";
import { isSignedIn } from "@/lib/signed-in";

/** Answered by the API, so reached by leaving the app, not by its router. */
const API_DOCS = "/docs";
const HEALTH = "/health";

const PARTS: readonly { icon: LucideIcon; title: string; text: string }[] = [
  {
    icon: Radio,
    title: "Realtime that recovers",
    text: "Channels with presence, history and recovery by position. What you missed while offline arrives when you return.",
  },
  {
    icon: Database,
    title: "Postgres is the record",
    text: "Messages and status changes go out in commit order, through an outbox written in the same transaction.",
  },
  {
    icon: ListChecks,
    title: "Jobs without a second system",
    text: "Enqueued as rows where the work begins, claimed in batches, run as Ray tasks, rescued when a worker dies.",
  },
  {
    icon: FileDown,
    title: "Exports of one snapshot",
    text: "Parquet, Arrow, CSV or NDJSON from one view of the data, with progress as it runs and a signed link at the end.",
  },
  {
    icon: KeyRound,
    title: "Sessions you can end",
    text: "Rotating refresh tokens, scoped API keys. Revoking a session closes its open sockets within a second.",
  },
  {
    icon: Gauge,
    title: "Grows by adding nodes",
    text: "Starts on a laptop with one command. The same cluster answers REST and WebSocket, and spreads over machines.",
  },
];

export default async function LandingPage() {
  const signedIn = await isSignedIn();
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="mx-auto flex w-full max-w-6xl items-center justify-between gap-2 px-4 py-4 sm:px-6">
        <Logo />
        <nav aria-label="Start" className="flex items-center gap-1 sm:gap-2">
          <ThemeToggle />
          {signedIn ? (
            <Link href={HOME} className={buttonVariants()}>
              Open the dashboard
            </Link>
          ) : (
            <>
              <Link href="/login" className={buttonVariants({ variant: "ghost" })}>
                Sign in
              </Link>
              <Link href="/register" className={cn(buttonVariants(), "max-sm:hidden")}>
                Create an account
              </Link>
            </>
          )}
        </nav>
      </header>
      <main id="main" className="flex-1">
        <section className="mx-auto grid max-w-6xl items-center gap-12 px-4 py-14 sm:px-6 lg:grid-cols-[1.05fr_1fr] lg:py-24">
          <div>
            <h1 className="text-4xl leading-[1.08] font-semibold tracking-tight sm:text-5xl">
              The backend that keeps every screen up to date
            </h1>
            <p className="mt-5 max-w-lg text-lg leading-relaxed text-muted-foreground">
              Mobula runs REST, WebSocket, background jobs and exports in one Ray cluster, with Postgres as
              the record of everything that is true.
            </p>
            <div className="mt-8 flex flex-wrap gap-3">
              {signedIn ? null : (
                <Link href="/register" className={buttonVariants({ size: "lg" })}>
                  Create an account
                </Link>
              )}
              <a href={API_DOCS} className={buttonVariants({ size: "lg", variant: "secondary" })}>
                Read the API
              </a>
            </div>
          </div>
          <Preview />
        </section>
        <section aria-labelledby="parts" className="border-y bg-card">
          <div className="mx-auto max-w-6xl px-4 py-16 sm:px-6">
            <h2 id="parts" className="max-w-xl text-2xl font-semibold">
              One cluster instead of five services
            </h2>
            <ul className="mt-10 grid gap-x-10 gap-y-9 sm:grid-cols-2 lg:grid-cols-3">
              {PARTS.map(({ icon: Icon, title, text }) => (
                <li key={title}>
                  <Icon aria-hidden className="size-5 text-primary" />
                  <h3 className="mt-3 font-semibold">{title}</h3>
                  <p className="mt-1.5 text-sm leading-relaxed text-muted-foreground">{text}</p>
                </li>
              ))}
            </ul>
          </div>
        </section>
      </main>
      <footer className="mx-auto flex w-full max-w-6xl flex-wrap justify-between gap-x-8 gap-y-2 px-4 py-8 text-sm text-muted-foreground sm:px-6">
        <p>Mobula, an application backend on Ray.</p>
        <p className="flex gap-5">
          <a href={API_DOCS} className="hover:text-foreground">
            API
          </a>
          <a href={HEALTH} className="hover:text-foreground">
            Status
          </a>
        </p>
      </footer>
    </div>
  );
}

const STEPS = ["Pending", "Paid", "Packed", "Shipped"] as const;

/** A drawing of the product, not a picture of data: hidden from those who would have it read out. */
function Preview() {
  return (
    <div aria-hidden className="relative mx-auto w-full max-w-lg select-none max-sm:hidden">
      <div className="rounded-xl border bg-card p-5 shadow-float">
        <div className="flex items-center justify-between">
          <p className="text-sm font-semibold">Order M-000123</p>
          <span className="flex items-center gap-2 rounded-full bg-live-soft px-2.5 py-1 text-xs font-medium text-success">
            <LiveDot /> Live
          </span>
        </div>
        <div className="mt-6 flex">
          {STEPS.map((step, index) => (
            <div key={step} className="relative flex-1">
              {index < STEPS.length - 1 ? (
                <span
                  className={cn("absolute top-2 left-4 h-0.5 w-full", index < 2 ? "bg-primary" : "bg-border")}
                />
              ) : null}
              <span
                className={cn(
                  "relative block size-4.5 rounded-full border-2",
                  index <= 2 ? "border-primary bg-primary" : "border-border bg-card",
                  index === 2 && "animate-live",
                )}
              />
              <p className={cn("mt-2 text-xs", index <= 2 ? "font-medium" : "text-muted-foreground")}>
                {step}
              </p>
            </div>
          ))}
        </div>
      </div>
      <div className="mt-4 ml-10 rounded-xl border bg-card p-4 shadow-float">
        <p className="flex items-center gap-2 text-xs font-medium text-muted-foreground">
          <MessagesSquare className="size-3.5" /> Lobby
        </p>
        <div className="mt-3 space-y-2 text-sm">
          <p className="w-fit rounded-2xl rounded-tl-md bg-muted px-3.5 py-2">Is the export through?</p>
          <p className="ml-auto w-fit rounded-2xl rounded-tr-md bg-primary px-3.5 py-2 text-primary-foreground">
            Two million rows, downloading now
          </p>
        </div>
      </div>
      <div className="mt-4 mr-14 rounded-xl border bg-card p-4 shadow-float">
        <div className="flex items-center justify-between text-sm">
          <span className="flex items-center gap-2 font-medium">
            <Activity className="size-4 text-primary" /> orders.parquet
          </span>
          <span className="text-muted-foreground tabular-nums">64%</span>
        </div>
        <div className="mt-3 h-2 overflow-hidden rounded-full bg-muted">
          <div className="h-full w-[64%] rounded-full bg-primary" />
        </div>
      </div>
    </div>
  );
}
