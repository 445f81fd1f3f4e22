import { onlineManager, QueryClientProvider, useQuery, useQueryClient } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { SessionGate } from "@/app/(app)/_components/session-gate";
import { Toaster } from "@/components/ui/toast";
import { createQueryClient } from "@/lib/api/query-client";
import { useCart } from "@/lib/cart";
import { useCurrentUser } from "@/lib/current-user";
import { forgetSession, rememberSession } from "@/lib/session-hint";

import { currentUser } from "../support/fixtures";
import { http, HttpResponse, problem, server, url } from "../support/server";

const replace = vi.fn();
vi.mock("next/navigation", () => ({ useRouter: () => ({ replace }) }));
vi.mock("@/lib/realtime/provider", () => ({
  RealtimeProvider: ({ children }: { children: ReactNode }) => children,
}));

const ada = currentUser();
const bob = currentUser({ id: "u-2", username: "bob" });
const lamp = { productId: "p-1", name: "Lamp", sku: "S", category: "home", price: "1.00", currency: "EUR" };

let who: typeof ada | null;
let drawn: string[];

beforeEach(() => {
  who = ada;
  drawn = [];
  replace.mockReset();
  window.history.replaceState(null, "", "/orders?page=2&status=paid");
  server.use(
    http.get(url("/auth/me"), () => (who ? HttpResponse.json(who) : problem(401, "unauthenticated"))),
    http.post(url("/auth/refresh"), () => problem(401, "unauthenticated")),
  );
});

afterEach(() => onlineManager.setOnline(true));

/** Shows something of the person's, as the cache has it. */
function Secret() {
  const user = useCurrentUser();
  const client = useQueryClient();
  const secret = useQuery({
    queryKey: ["secret"],
    queryFn: async () => `secret of ${who?.username}`,
    staleTime: Infinity,
  });
  const cached = client.getQueryData<string>(["secret"]);
  if (cached) drawn.push(`${user.username} sees the ${cached}`);
  return <p>{secret.data ?? "nothing"}</p>;
}

function open() {
  const queryClient = createQueryClient();
  const view = render(
    <QueryClientProvider client={queryClient}>
      <Toaster>
        <SessionGate>
          <Secret />
        </SessionGate>
      </Toaster>
    </QueryClientProvider>,
  );
  return { queryClient, view };
}

/** What another tab of the same browser says. */
function elsewhere() {
  const other = new BroadcastChannel("mobula-session");
  other.postMessage("changed");
  return other;
}

describe("the session's gate", () => {
  it("drops what was one person's when another one signs in elsewhere", async () => {
    open();
    expect(await screen.findByText("secret of ada")).toBeInTheDocument();
    useCart.getState().add(lamp);

    who = bob;
    const other = elsewhere();
    expect(await screen.findByText("secret of bob")).toBeInTheDocument();
    other.close();
    expect(drawn).not.toContain("bob sees the secret of ada");
    expect(useCart.getState()).toMatchObject({ owner: "u-2", lines: [] });
  });

  it("shows nothing more once one has signed out elsewhere, and forgets it", async () => {
    const { queryClient, view } = open();
    await screen.findByText("secret of ada");
    who = null;
    const other = elsewhere();
    await waitFor(() => expect(replace).toHaveBeenCalledWith(expect.stringContaining("/login")));
    other.close();
    await waitFor(() => expect(screen.queryByText("secret of ada")).not.toBeInTheDocument());
    const asked = new Set(replace.mock.calls.map(([path]) => path));
    expect([...asked]).toEqual([`/login?next=${encodeURIComponent("/orders?page=2&status=paid")}`]);
    view.unmount();
    expect(queryClient.getQueryCache().getAll()).toEqual([]);
  });

  it("says that there is no network instead of loading for ever", async () => {
    onlineManager.setOnline(false);
    open();
    expect(await screen.findByRole("alert")).toHaveTextContent("You are offline");
    act(() => onlineManager.setOnline(true));
    expect(await screen.findByText("secret of ada")).toBeInTheDocument();
  });

  it("leaves everything alone when the same person signs in again", async () => {
    open();
    await screen.findByText("secret of ada");
    useCart.getState().add(lamp);
    const other = elsewhere();
    await waitFor(() => expect(useCart.getState().lines).toHaveLength(1));
    other.close();
    expect(screen.getByText("secret of ada")).toBeInTheDocument();
  });

  it("tells other tabs of signing in and out, and of being signed out once only", async () => {
    const heard: unknown[] = [];
    const other = new BroadcastChannel("mobula-session");
    other.onmessage = ({ data }) => heard.push(data);
    rememberSession();
    forgetSession();
    forgetSession();
    await waitFor(() => expect(heard).toEqual(["changed", "changed"]));
    other.close();
  });
});
