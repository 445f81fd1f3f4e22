import { screen } from "@testing-library/react";
import { expect, it } from "vitest";

import { LoginSessions } from "@/features/auth/components/login-sessions";

import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const AT = "2026-11-26T12:00:00Z";

it("keeps the sessions that are known when they cannot be asked for again", async () => {
  const session = {
    id: "s-1",
    user_agent: null,
    ip: "192.0.2.7",
    methods: ["password"],
    current: false,
    last_seen_at: AT,
    expires_at: AT,
  };
  server.use(http.get(url("/auth/sessions"), () => HttpResponse.json({ items: [session] })));
  const { queryClient } = renderApp(<LoginSessions />);
  expect(await screen.findByText(/192\.0\.2\.7/)).toBeInTheDocument();
  server.use(http.get(url("/auth/sessions"), () => problem(503, "unavailable")));
  await queryClient.invalidateQueries();
  expect(await screen.findByRole("alert")).toHaveTextContent("This may be out of date.");
  expect(screen.getByText(/192\.0\.2\.7/)).toBeInTheDocument();
});
