import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";

import { ExportForm } from "@/features/exports/components/export-form";
import { ExportList } from "@/features/exports/components/export-list";

import { exportSummary, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

it("shows an export that was begun from another page, on the first one", async () => {
  const asked: (string | null)[] = [];
  const dataset = { name: "orders", title: "Orders", description: "", formats: ["parquet"] };
  server.use(
    http.get(url("/export-datasets"), () =>
      HttpResponse.json({ items: [{ ...dataset, columns: [], filters: [] }] }),
    ),
    http.get(url("/exports"), ({ request }) => {
      asked.push(new URL(request.url).searchParams.get("page"));
      return HttpResponse.json({ ...page([exportSummary()]), pages: 3, total: 21 });
    }),
    http.post(url("/exports"), () =>
      HttpResponse.json(
        { ...exportSummary({ state: "queued" }), files: [], manifest: null },
        { status: 202 },
      ),
    ),
  );
  const turned: (string | null)[] = [];
  renderApp(
    <>
      <ExportForm />
      <ExportList />
    </>,
    { search: "?page=2", onUrl: ({ searchParams }) => turned.push(searchParams.get("page")) },
  );
  await waitFor(() => expect(asked).toEqual(["2"]));
  await userEvent.click(await screen.findByRole("button", { name: "Start export" }));
  expect(await screen.findByText("The export is on its way")).toBeInTheDocument();
  await waitFor(() => expect(asked.at(-1)).toBe("1"));
  expect(turned).toEqual([null]);
  await userEvent.click(screen.getByRole("button", { name: "Start export" }));
  await waitFor(() => expect(asked.slice(-2)).toEqual(["1", "1"]));
  expect(turned, "it is there already").toEqual([null]);
});
