import { onlineManager, useQuery } from "@tanstack/react-query";
import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";

import PageError from "@/app/(app)/error";
import { QueryState } from "@/components/ui/query-state";
import { api } from "@/lib/api/client";
import { unwrap } from "@/lib/api/problem";

import { renderApp } from "../support/render";
import { http, HttpResponse, problem, refused, server, url } from "../support/server";

function Page() {
  const query = useQuery({ queryKey: ["x"], queryFn: () => unwrap(api.GET("/api/v1/categories")) });
  return (
    <QueryState query={query} loading={<p>loading</p>}>
      {({ items }) => (
        <>
          <p>{items.length} found</p>
          <input aria-label="Typed" />
        </>
      )}
    </QueryState>
  );
}

const answer = (status: number) =>
  server.use(
    http.get(url("/categories"), () =>
      status === 200 ? HttpResponse.json({ items: [] }) : problem(status, "it_failed"),
    ),
  );

it("keeps what was found, and what was typed, when asking again fails", async () => {
  answer(200);
  const { queryClient } = renderApp(<Page />);
  await userEvent.type(await screen.findByLabelText("Typed"), "hello");
  answer(503);
  await queryClient.invalidateQueries();
  expect(await screen.findByRole("alert")).toHaveTextContent("This may be out of date.");
  expect(screen.getByText("0 found")).toBeInTheDocument();
  expect(screen.getByLabelText("Typed")).toHaveValue("hello");
  answer(200);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(screen.queryByRole("alert")).not.toBeInTheDocument());
  expect(screen.getByLabelText("Typed")).toHaveValue("hello");
});

it("shows no longer what is not ours to see any more", async () => {
  answer(200);
  const { queryClient } = renderApp(<Page />);
  await screen.findByText("0 found");
  answer(403);
  await queryClient.invalidateQueries();
  expect(await screen.findByText("This could not be loaded")).toBeInTheDocument();
  expect(screen.queryByText("0 found")).not.toBeInTheDocument();
});

it("says that there is no network instead of loading for ever", async () => {
  answer(200);
  onlineManager.setOnline(false);
  try {
    renderApp(<Page />);
    expect(await screen.findByText("You are offline")).toBeInTheDocument();
  } finally {
    act(() => onlineManager.setOnline(true));
  }
  expect(await screen.findByText("0 found")).toBeInTheDocument();
});

it("says what failed when there was nothing yet", async () => {
  answer(503);
  renderApp(<Page />);
  expect(screen.getByText("loading")).toBeInTheDocument();
  expect(await screen.findByText("It failed: it_failed")).toBeInTheDocument();
});

it("says what is wrong with a filter, and not how many things are", async () => {
  server.use(
    http.get(url("/categories"), () =>
      refused(422, "validation_failed", "#/query/q", "At most 100 characters."),
    ),
  );
  renderApp(<Page />);
  expect(await screen.findByText("At most 100 characters.")).toBeInTheDocument();
  expect(screen.queryByText(/One thing/)).not.toBeInTheDocument();
});

it("calls a mistyped address one that leads nowhere", async () => {
  server.use(
    http.get(url("/categories"), () =>
      refused(422, "validation_failed", "#/path/order_id", "This is not an id."),
    ),
  );
  renderApp(<Page />);
  expect(await screen.findByText("There is nothing at this address")).toBeInTheDocument();
  expect(screen.getByText("The link was mistyped, or cut short.")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "Try again" })).not.toBeInTheDocument();
});

it("says the same of what is not there, with the server's words", async () => {
  answer(404);
  renderApp(<Page />);
  expect(await screen.findByText("There is nothing at this address")).toBeInTheDocument();
  expect(screen.getByText("It failed: it_failed")).toBeInTheDocument();
});

it("calls a page's crash a crash, and not a network that fails", () => {
  renderApp(<PageError error={new TypeError("x is undefined")} reset={() => undefined} />);
  expect(screen.getByRole("alert")).toHaveTextContent("This page stopped working");
  expect(screen.getByRole("alert")).not.toHaveTextContent("cannot be reached");
});
