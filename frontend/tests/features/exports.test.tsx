import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import { isActive, withProgress } from "@/features/exports/api/exports";
import { ExportForm } from "@/features/exports/components/export-form";
import { ExportList } from "@/features/exports/components/export-list";
import type { ExportProgressEvent } from "@/lib/realtime/events";

import { exportSummary, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const progress = (part: Partial<ExportProgressEvent> = {}): ExportProgressEvent => ({
  type: "export.progress",
  export_id: "e-1",
  state: "running",
  rows: 60,
  total: 100,
  percent: 60,
  ...part,
});

describe("withProgress", () => {
  it("moves the export it is about and no other", () => {
    const before = page([exportSummary(), exportSummary({ id: "e-2" })]);
    const after = withProgress(before, progress());
    expect(after?.items.map((item) => item.progress.rows)).toEqual([60, 10]);
    expect(withProgress(undefined, progress())).toBeUndefined();
  });

  it("does not wake an export that has ended", () => {
    const after = withProgress(page([exportSummary({ state: "succeeded" })]), progress());
    expect(after?.items[0]).toMatchObject({ state: "succeeded", progress: { rows: 10 } });
    expect(isActive({ state: "queued" })).toBe(true);
    expect(isActive({ state: "expired" })).toBe(false);
  });

  it("keeps the last percentage when none was sent", () => {
    expect(
      withProgress(page([exportSummary()]), progress({ percent: null }))?.items[0]?.progress.percent,
    ).toBe(10);
  });
});

describe("the list of exports", () => {
  it("says when the files of an export cannot be listed, and lists them when asked again", async () => {
    let fail = true;
    server.use(
      http.get(url("/exports"), () => HttpResponse.json(page([exportSummary({ state: "succeeded" })]))),
      http.get(url("/exports/e-1"), () =>
        fail
          ? problem(503, "unavailable")
          : HttpResponse.json({
              ...exportSummary({ state: "succeeded" }),
              files: [{ name: "orders-000.parquet", rows: 100, bytes: 2048, sha256: "x" }],
              manifest: null,
            }),
      ),
    );
    renderApp(<ExportList />);
    expect(await screen.findByRole("alert")).toHaveTextContent("The files could not be listed.");
    fail = false;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("orders-000.parquet")).toBeInTheDocument();
  });

  it("has its page in the address", async () => {
    const asked: (string | null)[] = [];
    const urls: [string | null, string][] = [];
    server.use(
      http.get(url("/exports"), ({ request }) => {
        asked.push(new URL(request.url).searchParams.get("page"));
        return HttpResponse.json({ ...page([exportSummary()]), pages: 3, total: 21 });
      }),
    );
    renderApp(<ExportList />, {
      search: "?page=2",
      onUrl: ({ searchParams, options }) => urls.push([searchParams.get("page"), options.history]),
    });
    await userEvent.click(await screen.findByRole("button", { name: "Next" }));
    await waitFor(() => expect(asked).toEqual(["2", "3"]));
    expect(urls).toEqual([["3", "push"]]);
  });

  it("moves the bar as progress is published, and offers the file at the end", async () => {
    let state: "running" | "succeeded" = "running";
    server.use(
      http.get(url("/exports"), () => HttpResponse.json(page([exportSummary({ state })]))),
      http.get(url("/exports/e-1"), () =>
        HttpResponse.json({
          ...exportSummary({ state: "succeeded" }),
          files: [{ name: "orders-000.parquet", rows: 100, bytes: 2048, sha256: "x" }],
          manifest: null,
        }),
      ),
    );
    const { client } = renderApp(<ExportList />);
    const bar = await screen.findByRole("progressbar", { name: "Progress of the orders export" });
    expect(bar).toHaveAttribute("aria-valuenow", "10");
    await waitFor(() => expect(client.subscriptions.has("exports:progress#u-1")).toBe(true));
    const channel = client.subscription("exports:progress#u-1");

    act(() => void channel.emit("publication", { data: progress() }));
    await waitFor(() => expect(bar).toHaveAttribute("aria-valuenow", "60"));
    expect(screen.getByText("60 of 100 rows · 60%")).toBeInTheDocument();

    state = "succeeded";
    act(
      () =>
        void channel.emit("publication", { data: progress({ state: "succeeded", rows: 100, percent: 100 }) }),
    );
    expect(await screen.findByRole("button", { name: "Download orders-000.parquet" })).toBeInTheDocument();
    expect(screen.getByTestId("export")).toHaveAttribute("data-state", "succeeded");
  });

  it("downloads through a link of our own origin", async () => {
    const followed: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      followed.push(this.getAttribute("href") ?? "");
    });
    const done = exportSummary({ state: "succeeded" });
    server.use(
      http.get(url("/exports"), () => HttpResponse.json(page([done]))),
      http.get(url("/exports/e-1"), () =>
        HttpResponse.json({
          ...done,
          files: [{ name: "a.csv", rows: 1, bytes: 9, sha256: "x" }],
          manifest: null,
        }),
      ),
      http.post(url("/exports/e-1/link"), () =>
        HttpResponse.json(
          {
            url: "http://inside:8000/api/v1/exports/e-1/files/a.csv?expires=1&signature=s",
            name: "a.csv",
            expires_at: "",
          },
          { status: 201 },
        ),
      ),
    );
    renderApp(<ExportList />);
    await userEvent.click(await screen.findByRole("button", { name: "Download a.csv" }));
    await waitFor(() => expect(followed).toEqual(["/api/v1/exports/e-1/files/a.csv?expires=1&signature=s"]));
  });

  it("shows why one failed, and what to do when there is none or the list cannot be had", async () => {
    server.use(
      http.get(
        url("/exports"),
        () => HttpResponse.json(page([exportSummary({ state: "failed", error: "Too slow." })])),
        {
          once: true,
        },
      ),
    );
    const first = renderApp(<ExportList />);
    expect(await screen.findByText("Too slow.")).toBeInTheDocument();
    first.view.unmount();

    server.use(http.get(url("/exports"), () => HttpResponse.json(page([])), { once: true }));
    const second = renderApp(<ExportList />);
    expect(await screen.findByText("No exports yet")).toBeInTheDocument();
    second.view.unmount();

    server.use(http.get(url("/exports"), () => problem(503, "unavailable")));
    renderApp(<ExportList />);
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("It failed: unavailable");
    server.use(http.get(url("/exports"), () => HttpResponse.json(page([exportSummary()]))));
    await userEvent.click(within(alert).getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("progressbar")).toBeInTheDocument();
  });
});

describe("the export form", () => {
  it("sends dataset, format and the filters that are set", async () => {
    let body: unknown;
    const keys: (string | null)[] = [];
    server.use(
      http.get(url("/export-datasets"), () =>
        HttpResponse.json({
          items: [
            {
              name: "orders",
              title: "Orders",
              description: "One row per line.",
              formats: ["parquet", "arrow", "csv", "ndjson"],
              columns: [],
              filters: [
                { name: "created_from", kind: "timestamp", description: "From this day.", choices: [] },
              ],
            },
          ],
        }),
      ),
      http.post(url("/exports"), async ({ request }) => {
        body = await request.json();
        keys.push(request.headers.get("idempotency-key"));
        if (keys.length === 1) return problem(503, "unavailable"); // Its answer is lost.
        return HttpResponse.json(
          { ...exportSummary({ state: "queued" }), files: [], manifest: null },
          { status: 202 },
        );
      }),
    );
    renderApp(<ExportForm />);
    await userEvent.type(await screen.findByLabelText("Created from"), "2026-01-31");
    await userEvent.click(screen.getByRole("combobox", { name: "Format" }));
    const choices = await screen.findAllByRole("option");
    expect(choices.map((choice) => choice.textContent)).toEqual(["Parquet", "Arrow", "CSV", "NDJSON"]);
    await userEvent.click(choices[3]!);
    await userEvent.click(screen.getByRole("button", { name: "Start export" }));
    await waitFor(() =>
      expect(body).toEqual({
        dataset: "orders",
        format: "ndjson",
        filters: { created_from: new Date("2026-01-31T00:00:00").toISOString() },
      }),
    );
    expect(screen.getByLabelText("Created from")).toHaveAccessibleDescription(
      "The day begins at midnight, by your clock.",
    );
    const again = async (times: number) => {
      await userEvent.click(screen.getByRole("button", { name: "Start export" }));
      await waitFor(() => expect(keys).toHaveLength(times));
    };
    await screen.findByText("It failed: unavailable");
    await again(2);
    expect(await screen.findByText("The export is on its way")).toBeInTheDocument();
    await again(3);
    expect(keys[0]).toBeTruthy();
    expect(keys[1], "tried again, it is the same export").toBe(keys[0]);
    expect(keys[2], "asked for once more, it is another").not.toBe(keys[0]);
  });
});
