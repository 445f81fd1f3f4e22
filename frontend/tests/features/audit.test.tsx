import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";

import { AuditTabs } from "@/features/audit/components/audit-tabs";
import type { AccountChange, AuditEntry } from "@/lib/api/types";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const AT = "2026-11-22T12:00:00Z";
const GRACE = "01900000-0000-7000-8000-000000000002";
const OLGA = "01900000-0000-7000-8000-000000000009";
const reader = currentUser({ id: OLGA, permissions: ["audit:read", "users:read"] });

const entry = (part: Partial<AuditEntry> = {}): AuditEntry => ({
  id: 1,
  at: AT,
  action: "session.revoked",
  actor_id: OLGA,
  subject_type: "session",
  subject_id: "s-1",
  ip: "192.0.2.7",
  request_id: "req-9",
  details: {},
  ...part,
});

const change = (part: Partial<AccountChange> = {}): AccountChange => ({
  id: 1,
  user_id: GRACE,
  operation: "UPDATE",
  changed_by: OLGA,
  changed_at: AT,
  changed_fields: ["email", "password_hash"],
  old_values: { email: "old@example.com", username: "grace" },
  new_values: { email: "new@example.com", username: "grace" },
  ...part,
});

const pageOf = <T,>(items: T[], next: string | null = null, prev: string | null = null) =>
  HttpResponse.json({ items, next, prev, limit: 25, total: null, page: null, pages: null, _links: {} });

let asked: Record<string, string>[];
/** The trail answers each question with what `answer` makes of its parameters. */
function trail(answer: (query: Record<string, string>) => Response) {
  server.use(
    http.get(url("/audit/entries"), ({ request }) => {
      const { limit, ...query } = Object.fromEntries(new URL(request.url).searchParams);
      expect(limit).toBe("25");
      asked.push(query);
      return answer(query) as ReturnType<typeof pageOf>;
    }),
  );
}

beforeEach(() => {
  asked = [];
  const people: Record<string, string> = { [GRACE]: "grace", [OLGA]: "olga" };
  server.use(
    http.get(url("/users/:id"), ({ params }) => {
      const username = people[String(params.id)];
      return username ? HttpResponse.json({ id: params.id, username }) : problem(404, "user_not_found");
    }),
    http.get(url("/users"), ({ request }) => {
      const q = new URL(request.url).searchParams.get("q") ?? "";
      const items = Object.entries(people)
        .map(([id, username]) => ({ id, username, email: `${username}@example.com` }))
        .filter(({ email }) => email.includes(q.toLowerCase()));
      return HttpResponse.json({ items });
    }),
  );
});

describe("acts", () => {
  it("say who did what, by name where there is one, and in full when they are opened", async () => {
    const gone = "01900000-0000-7000-8000-00000000dead";
    trail(() =>
      pageOf([
        entry({
          id: 3,
          action: "roles.changed",
          subject_type: "user",
          subject_id: GRACE,
          details: { to: "admin" },
        }),
        entry({ id: 2, actor_id: gone }),
        entry({ id: 1, action: "login.failed", actor_id: null, subject_type: "user", subject_id: "gr@ce" }),
      ]),
    );
    renderApp(<AuditTabs />, { user: reader });
    const rows = await screen.findAllByTestId("audit-entry");
    await waitFor(() => expect(rows[0]).toHaveTextContent("olgaUser grace"));
    expect(rows[0], "on a phone, below the action").toHaveTextContent("olga · User grace");
    expect(rows[1]).toHaveTextContent(gone);
    expect(rows[2]).toHaveTextContent("Nobody knownUser gr@ce");
    expect(screen.queryByRole("navigation", { name: "Pagination" })).not.toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "roles.changed" }));
    const dialog = await screen.findByRole("dialog", { name: "roles.changed" });
    expect(dialog).toHaveTextContent("req-9");
    expect(dialog).toHaveTextContent('"to": "admin"');
  });

  it("are filtered by what is typed, people by their names", async () => {
    trail(({ actor_id }) => pageOf(actor_id === GRACE ? [] : [entry()]));
    renderApp(<AuditTabs />, { user: reader });
    await screen.findByTestId("audit-entry");
    await userEvent.type(screen.getByLabelText("Action"), " login.failed");
    await userEvent.type(screen.getByLabelText("By"), "Grace");
    await userEvent.type(screen.getByLabelText("Subject"), "s-9");
    expect(await screen.findByText("No such act")).toBeInTheDocument();
    await waitFor(() =>
      expect(asked.at(-1)).toEqual({ action: "login.failed", actor_id: GRACE, subject_id: "s-9" }),
    );
  });

  it("of somebody whom nobody knows are none", async () => {
    trail(() => pageOf([entry()]));
    renderApp(<AuditTabs />, { user: reader, search: "?by=gra" });
    expect(await screen.findByText("No such act")).toBeInTheDocument();
    expect(asked).toEqual([]);
  });

  it("lead to others like them", async () => {
    trail(() => pageOf([entry()]));
    renderApp(<AuditTabs />, { user: reader, search: "?action=session.revoked" });
    const press = async (name: string) => {
      await userEvent.click(await screen.findByRole("button", { name: "session.revoked" }));
      await userEvent.click(await screen.findByRole("button", { name }));
      await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    };
    await press("All about this");
    await waitFor(() => expect(asked.at(-1)).toEqual({ subject_type: "session", subject_id: "s-1" }));
    await press("All by this person");
    await waitFor(() => expect(asked.at(-1)).toEqual({ actor_id: OLGA }));
    await press("All of this action");
    await waitFor(() => expect(asked.at(-1)).toEqual({ action: "session.revoked" }));
  });

  it("are turned over page by page, and another filter begins at the first", async () => {
    trail(({ cursor }) =>
      cursor === "older"
        ? pageOf([entry({ action: "a.second" })], null, "newer")
        : pageOf([entry()], "older"),
    );
    renderApp(<AuditTabs />, { user: reader });
    expect(await screen.findByRole("button", { name: "Newer" })).toBeDisabled();
    await userEvent.click(screen.getByRole("button", { name: "Older" }));
    expect(await screen.findByRole("button", { name: "a.second" })).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Older" })).toBeDisabled();
    await userEvent.click(screen.getByRole("button", { name: "Newer" }));
    await waitFor(() => expect(asked.at(-1)).toEqual({ cursor: "newer" }));
    await userEvent.type(screen.getByLabelText("Action"), "x");
    await waitFor(() => expect(asked.at(-1)).toEqual({ action: "x" }));
  });

  it("say what failed, and lead back from a page that there is not", async () => {
    trail(({ cursor }) => (cursor ? problem(422, "invalid_cursor") : problem(503, "unavailable")));
    renderApp(<AuditTabs />, { user: reader, search: "?cursor=forged" });
    await userEvent.click(await screen.findByRole("button", { name: "Back to the first page" }));
    expect(await screen.findByText("It failed: unavailable")).toBeInTheDocument();
  });
});

describe("accounts", () => {
  it("show what was there before, and that a password changed", async () => {
    trail(() => pageOf([entry({ action: "roles.changed", subject_type: "user", subject_id: GRACE })]));
    server.use(
      http.get(url("/audit/users/:id/changes"), ({ params }) =>
        pageOf(
          params.id === GRACE ? [change({ id: 2 }), change({ operation: "INSERT", changed_by: null })] : [],
        ),
      ),
    );
    renderApp(<AuditTabs />, { user: reader });
    await userEvent.click(await screen.findByRole("button", { name: "roles.changed" }));
    await userEvent.click(await screen.findByRole("button", { name: "Changes of this account" }));
    expect(await screen.findAllByTestId("account-change")).toHaveLength(2);
    await userEvent.click(await screen.findByRole("button", { name: "Update" }));
    const dialog = await screen.findByRole("dialog", { name: "Update" });
    await waitFor(() => expect(dialog).toHaveTextContent("By olga"));
    const [before, after] = within(dialog).getAllByRole("heading", { level: 3 });
    expect(before?.parentElement).toHaveTextContent(
      '{ "email": "old@example.com", "password_hash": "not kept" }',
    );
    expect(after?.parentElement).toHaveTextContent('"new@example.com"');
  });

  it("are found by name; of others nothing is known", async () => {
    renderApp(<AuditTabs />, { user: reader, search: "?tab=accounts" });
    expect(screen.getByText("Whose account?")).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText("Account"), "nobody");
    expect(await screen.findByText("Nothing is known of such an account")).toBeInTheDocument();
  });
});
