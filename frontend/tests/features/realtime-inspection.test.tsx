import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";

import { Permitted } from "@/app/(app)/_components/permitted";
import { InspectionTabs } from "@/features/realtime_inspection/components/inspection-tabs";
import type { RealtimeConnection } from "@/lib/api/types";

import { currentUser } from "../support/fixtures";
import { connection, ending, node, operator, trace } from "../support/inspection";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const listed = (items: RealtimeConnection[], part: Record<string, unknown> = {}) =>
  HttpResponse.json({ items, total: items.length, next: null, silent: [], ...part });

beforeEach(() => {
  server.use(
    http.get(url("/realtime/nodes"), () => HttpResponse.json({ items: [node], silent: [] })),
    http.get(url("/realtime/connections"), () => listed([connection()])),
  );
});

describe("the operators' page", () => {
  it("is shown to those who may read it, and to nobody else", async () => {
    const gated = <Permitted permission="realtime:read">secret</Permitted>;
    const { view } = renderApp(gated);
    expect(screen.getByText("This page is not for you")).toBeInTheDocument();
    expect(screen.queryByText("secret")).not.toBeInTheDocument();
    view.unmount();
    renderApp(gated, { user: operator });
    expect(screen.getByText("secret")).toBeInTheDocument();
  });

  it("offers neither traces nor orders to those who may only read", async () => {
    server.use(http.get(url("/realtime/connections/c-1"), () => HttpResponse.json(connection())));
    renderApp(<InspectionTabs />, {
      user: currentUser({ permissions: ["realtime:read"] }),
      search: "?client=c-1",
    });
    const drawer = await screen.findByRole("dialog", { name: "Connection" });
    expect(await within(drawer).findByText("room:1")).toBeInTheDocument();
    expect(within(drawer).queryByRole("button", { name: "Disconnect" })).not.toBeInTheDocument();
    expect(screen.queryByRole("tab", { name: "Traces", hidden: true })).not.toBeInTheDocument();
  });
});

describe("connections", () => {
  it("are listed with what each process holds, found by username, and read in pages", async () => {
    const asked: URLSearchParams[] = [];
    server.use(
      http.get(url("/realtime/connections"), ({ request }) => {
        const query = new URL(request.url).searchParams;
        asked.push(query);
        return listed([connection()], {
          total: 30,
          next: query.get("after") ? null : "c-1",
          silent: ["hub-2"],
        });
      }),
      http.get(url("/directory"), () =>
        HttpResponse.json({
          items: [
            { id: "u-9", username: "gracious" },
            { id: "u-2", username: "Grace" },
          ],
        }),
      ),
    );
    renderApp(<InspectionTabs />, { user: operator });
    expect(await screen.findByRole("button", { name: "grace" })).toBeInTheDocument();
    expect(screen.getByText("30 connections")).toBeInTheDocument();
    expect(screen.getByText(/One realtime process did not answer/)).toBeInTheDocument();
    expect(screen.getByText("host-7")).toBeInTheDocument();
    expect(screen.getByText("2 h 5 min")).toBeInTheDocument();

    await userEvent.click(screen.getByRole("button", { name: "Next" }));
    await waitFor(() => expect(asked.at(-1)?.get("after")).toBe("c-1"));
    await userEvent.click(await screen.findByRole("button", { name: "First page" }));
    await userEvent.type(screen.getByRole("searchbox", { name: "Connections of" }), "grace");
    await waitFor(() => expect(asked.at(-1)?.get("user")).toBe("u-2"));
    expect(asked.at(-1)?.get("after")).toBeNull();
  });

  it("are found by what is no username too, and by channel", async () => {
    const asked: URLSearchParams[] = [];
    server.use(
      http.get(url("/realtime/connections"), ({ request }) => {
        asked.push(new URL(request.url).searchParams);
        return listed([]);
      }),
      http.get(url("/directory"), () => HttpResponse.json({ items: [] })),
    );
    const { view } = renderApp(<InspectionTabs />, { user: operator, search: "?of=someone@elsewhere" });
    expect(await screen.findByText("Nobody like that is connected")).toBeInTheDocument();
    expect(asked.at(-1)?.get("user")).toBe("someone@elsewhere");
    view.unmount();
    renderApp(<InspectionTabs />, { user: operator, search: "?by=channel&of=room:1" });
    await waitFor(() => expect(asked.at(-1)?.get("channel")).toBe("room:1"));
    expect(asked.at(-1)?.get("user")).toBeNull();
  });

  it("say so when nobody is there, and when they cannot be read", async () => {
    server.use(http.get(url("/realtime/connections"), () => listed([])));
    const { view } = renderApp(<InspectionTabs />, { user: operator });
    expect(await screen.findByText("Nobody is connected")).toBeInTheDocument();
    view.unmount();
    server.use(
      http.get(url("/realtime/connections"), () => problem(503, "unavailable")),
      http.get(url("/realtime/nodes"), () => problem(503, "unavailable")),
    );
    renderApp(<InspectionTabs />, { user: operator });
    await waitFor(() => expect(screen.getAllByText("This could not be loaded")).toHaveLength(2));
  });

  it("are shown whole, closed after a question, and then say how they ended", async () => {
    let open = true;
    server.use(
      http.get(url("/realtime/connections/c-1"), () =>
        open ? HttpResponse.json(connection()) : problem(404, "connection_not_found"),
      ),
      http.delete(url("/realtime/connections/c-1"), () => {
        open = false;
        return new HttpResponse(null, { status: 204 });
      }),
      http.get(url("/realtime/endings"), ({ request }) => {
        expect(new URL(request.url).searchParams.get("client")).toBe("c-1");
        const frames = [{ kind: "in", frame: { id: 2, rpc: { method: "unread" } } }];
        return HttpResponse.json({ items: [ending({ frames })], silent: [] });
      }),
    );
    renderApp(<InspectionTabs />, { user: operator });
    await userEvent.click(await screen.findByRole("button", { name: "grace" }));
    const drawer = await screen.findByRole("dialog", { name: "Connection" });
    expect(await within(drawer).findByText("ep · 7")).toBeInTheDocument();
    expect(within(drawer).getByText("2.0 KB")).toBeInTheDocument();
    expect(within(drawer).getByText(/Nothing was said in the last minute/)).toBeInTheDocument();
    await userEvent.click(within(drawer).getByRole("button", { name: "Disconnect" }));
    expect(open, "nothing happens before the answer").toBe(true);
    const question = await screen.findByRole("dialog", { name: "Disconnect this connection?" });
    await userEvent.click(within(question).getByRole("button", { name: "Disconnect" }));
    expect(await screen.findByText("This connection has ended")).toBeInTheDocument();
    expect(await screen.findByText("3503 force disconnect")).toBeInTheDocument();
    expect(
      within(screen.getByRole("log", { name: "Last frames" })).getByText("rpc unread"),
    ).toBeInTheDocument();
  });

  it("can be traced, and their user signed out everywhere after a question", async () => {
    const revoked: string[] = [];
    const orders: unknown[] = [];
    server.use(
      http.get(url("/realtime/connections/c-1"), () =>
        HttpResponse.json(
          connection({ traced: true, frames: [{ kind: "in", frame: { id: 2, rpc: { method: "unread" } } }] }),
        ),
      ),
      http.delete(url("/realtime/users/:user/sessions"), ({ params }) => {
        revoked.push(String(params.user));
        return new HttpResponse(null, { status: 204 });
      }),
      http.post(url("/realtime/traces"), async ({ request }) => {
        orders.push(await request.json());
        return HttpResponse.json(trace(), { status: 201 });
      }),
      http.get(url("/realtime/traces"), () => HttpResponse.json({ items: [trace()], silent: [] })),
    );
    renderApp(<InspectionTabs />, { user: operator, search: "?client=c-1" });
    const drawer = await screen.findByRole("dialog", { name: "Connection" });
    expect(await within(drawer).findByText("rpc unread")).toBeInTheDocument();
    await userEvent.click(within(drawer).getByRole("button", { name: "Sign out everywhere" }));
    const question = await screen.findByRole("dialog", { name: "Sign grace out everywhere?" });
    await userEvent.click(within(question).getByRole("button", { name: "Sign out everywhere" }));
    await waitFor(() => expect(revoked).toEqual(["u-2"]));
    await waitFor(() => expect(question).not.toBeInTheDocument());
    await userEvent.click(within(drawer).getByRole("button", { name: "Trace" }));
    await waitFor(() => expect(orders).toEqual([{ client: "c-1", seconds: 300, frames: 1_000 }]));
    expect(await screen.findByTestId("trace-state")).toHaveAttribute("data-state", "live");
  });
});

describe("ended connections", () => {
  it("are listed with their cause", async () => {
    const endings = [ending(), ending({ client: "c-2", code: 0, reason: "", info: null, user: "" })];
    server.use(http.get(url("/realtime/endings"), () => HttpResponse.json({ items: endings, silent: [] })));
    renderApp(<InspectionTabs />, { user: operator, search: "?tab=endings" });
    expect(await screen.findByText("3503 force disconnect")).toBeInTheDocument();
    expect(screen.getByText("Connection lost")).toBeInTheDocument();
    expect(screen.getByText("Anonymous")).toBeInTheDocument();
    expect(screen.getAllByText("3 min")).toHaveLength(2);
    server.use(http.get(url("/realtime/connections/c-2"), () => problem(404, "connection_not_found")));
    await userEvent.click(screen.getByRole("button", { name: "Anonymous" }));
    expect(await screen.findByText("This connection has ended")).toBeInTheDocument();
  });

  it("are of whom one names, which is not what the other tab looks for", async () => {
    const asked: (string | null)[] = [];
    server.use(
      http.get(url("/realtime/endings"), ({ request }) => {
        asked.push(new URL(request.url).searchParams.get("user"));
        return HttpResponse.json({ items: [], silent: [] });
      }),
      http.get(url("/directory"), () => HttpResponse.json({ items: [] })),
    );
    const search = "?tab=endings&by=channel&of=room:1";
    const { view } = renderApp(<InspectionTabs />, { user: operator, search });
    expect(await screen.findByText("No connection has ended")).toBeInTheDocument();
    expect(asked.at(-1)).toBeNull();
    view.unmount();
    renderApp(<InspectionTabs />, { user: operator, search: "?tab=endings&ended=grace" });
    expect(await screen.findByText("No connection of anybody like that has ended")).toBeInTheDocument();
    expect(screen.getByText(/Usernames and ids are matched whole\./)).toBeInTheDocument();
    expect(asked.at(-1)).toBe("grace");
  });
});

describe("what is in force", () => {
  it("shows namespaces with their options, and why a newer file is not taken", async () => {
    const items = [
      { name: "room", options: { durable: true, history_ttl: "5m", allowed_delta_types: ["fossil"] } },
      { name: "board", options: { map: { mode: "recoverable" } } },
      { name: "bare", options: {} },
    ];
    const rules = { version: "abc", nodes: ["hub-1", "hub-2"], items, mistakes: ["line 3: no such option"] };
    server.use(
      http.get(url("/realtime/namespaces"), () => HttpResponse.json({ items: [rules], silent: [] })),
    );
    renderApp(<InspectionTabs />, { user: operator, search: "?tab=namespaces" });
    expect(await screen.findByRole("heading", { name: "room" })).toBeInTheDocument();
    expect(screen.getByText("5m")).toBeInTheDocument();
    expect(screen.getByText("recoverable")).toBeInTheDocument();
    expect(screen.getByText("Everything is off.")).toBeInTheDocument();
    expect(screen.getByRole("alert")).toHaveTextContent("line 3: no such option");
  });

  it("shows shards with their process, lease and buckets", async () => {
    const active = {
      host: 0,
      side: 0,
      state: "active",
      pid: 7,
      node: "n",
      incarnation: "i",
      lease_s: 3.52,
      shards: [
        { kind: "brokers", shard: 0, ready: true, buckets: 1_024 },
        { kind: "jobs", shard: 0, ready: false, buckets: null },
      ],
    };
    const silent = { ...active, side: 1, state: "silent", pid: null, lease_s: null, shards: [] };
    server.use(
      http.get(url("/realtime/shards"), () => HttpResponse.json({ items: [active, silent], buckets: 1_024 })),
    );
    renderApp(<InspectionTabs />, { user: operator, search: "?tab=shards" });
    expect(await screen.findByText("1,024 of 1,024")).toBeInTheDocument();
    expect(screen.getByText("lease 3.5 s · pid 7")).toBeInTheDocument();
    expect(screen.getByText("Starting")).toBeInTheDocument();
    expect(screen.getByText("Does not answer")).toBeInTheDocument();
  });
});
