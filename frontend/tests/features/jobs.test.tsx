import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";

import { JobList } from "@/features/jobs/components/job-list";
import type { Job } from "@/lib/api/types";

import { page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const AT = "2026-11-22T12:00:00Z";

const job = (part: Partial<Job> = {}) =>
  ({
    id: "j-1",
    kind: "exports.run",
    queue: "default",
    state: "running",
    args: {},
    progress: null,
    result: null,
    errors: [],
    attempt: 1,
    max_attempts: 3,
    node: null,
    cancel_requested: false,
    created_at: AT,
    run_at: AT,
    started_at: AT,
    finished_at: null,
    _links: {},
    ...part,
  }) as Job;

it("keeps a job open when its list moves on, and follows it to its end", async () => {
  let listed = [job()];
  let state: Job["state"] = "running";
  server.use(
    http.get(url("/jobs"), () => HttpResponse.json(page(listed))),
    http.get(url("/jobs/j-1"), () =>
      HttpResponse.json(job({ state, finished_at: state === "running" ? null : AT })),
    ),
  );
  const { queryClient } = renderApp(<JobList />);
  await userEvent.click(await screen.findByRole("button", { name: "exports.run" }));
  const dialog = await screen.findByRole("dialog", { name: "exports.run" });
  expect(within(dialog).getByTestId("job-state")).toHaveTextContent("Running");
  listed = [];
  state = "succeeded";
  await queryClient.invalidateQueries({ queryKey: ["jobs"] });
  await waitFor(() => expect(within(dialog).getByTestId("job-state")).toHaveTextContent("Succeeded"));
  expect(screen.getByText("No jobs here")).toBeInTheDocument();

  server.use(http.get(url("/jobs/j-1"), () => problem(503, "unavailable")));
  await queryClient.invalidateQueries({ queryKey: ["jobs"] });
  expect(await within(dialog).findByRole("alert")).toHaveTextContent("This may be out of date.");
  expect(within(dialog).getByTestId("job-state")).toHaveTextContent("Succeeded");
});

it("is walked back through by states, and not letter by letter", async () => {
  const ways: string[] = [];
  server.use(http.get(url("/jobs"), () => HttpResponse.json({ ...page([job()]), pages: 2 })));
  renderApp(<JobList />, { onUrl: ({ options }) => ways.push(options.history) });
  await userEvent.click(await screen.findByRole("button", { name: "Next" }));
  await waitFor(() => expect(ways).toEqual(["push"]));
  await userEvent.type(screen.getByLabelText("Kind"), "x");
  await waitFor(() => expect(ways).toEqual(["push", "replace"]));
});
