import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { AccountPage } from "@/features/people/components/account-page";
import { PeopleList } from "@/features/people/components/people-list";
import type { Account } from "@/lib/api/types";

import { currentUser, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const push = vi.hoisted(() => vi.fn());
vi.mock("next/navigation", () => ({ useRouter: () => ({ push }) }));

const AT = "2026-11-22T12:00:00Z";
const admin = currentUser({
  id: "boss",
  permissions: [
    "users:read",
    "users:write",
    "roles:manage",
    "realtime:admin",
    "audit:read",
    "orders:read_all",
  ],
});

const account = (part: Partial<Account> = {}): Account => ({
  id: "u-2",
  email: "grace@example.com",
  username: "grace",
  full_name: "Grace Hopper",
  is_active: true,
  is_verified: true,
  roles: ["customer"],
  metadata: {},
  created_at: AT,
  updated_at: AT,
  version: 3,
  _links: {},
  ...part,
});

describe("people", () => {
  it("are found by a part of their name, by state, and opened", async () => {
    const asked: Record<string, string>[] = [];
    server.use(
      http.get(url("/users"), ({ request }) => {
        asked.push(Object.fromEntries(new URL(request.url).searchParams));
        return HttpResponse.json(
          page(asked.at(-1)?.q ? [] : [account({ is_active: false, is_verified: false })]),
        );
      }),
    );
    renderApp(<PeopleList />, { user: admin, search: "?state=disabled" });
    const row = await screen.findByTestId("account");
    expect(row).toHaveTextContent("grace · Grace Hoppergrace@example.com");
    expect(row).toHaveTextContent("DisabledAddress not verifiedCustomer");
    expect(within(row).getByRole("link")).toHaveAttribute("href", "/people/u-2");
    expect(asked[0]).toEqual({ page: "1", is_active: "false", limit: "20" });
    await userEvent.type(screen.getByLabelText("Name or address"), " gra");
    expect(await screen.findByText("Nobody here")).toBeInTheDocument();
    expect(asked.at(-1)).toMatchObject({ q: "gra", is_active: "false" });
  });

  it("say what failed", async () => {
    server.use(http.get(url("/users"), () => problem(503, "unavailable")));
    renderApp(<PeopleList />, { user: admin });
    expect(await screen.findByText("It failed: unavailable")).toBeInTheDocument();
  });
});

describe("an account", () => {
  let held: Account;
  let changes: { match: string | null; body: unknown }[];

  beforeEach(() => {
    push.mockReset();
    held = account();
    changes = [];
    server.use(
      http.get(url("/users/u-2"), () => HttpResponse.json(held)),
      http.get(url("/roles"), () =>
        HttpResponse.json({
          items: [
            { name: "customer", description: "Buys and talks", permissions: [] },
            {
              name: "operator",
              description: "Runs the shop",
              permissions: [{ name: "orders:manage", description: "Move any order through its statuses" }],
            },
            { name: "guest", description: "Of this installation only", permissions: [] },
          ],
        }),
      ),
      http.patch(url("/users/u-2"), async ({ request }) => {
        const body = (await request.json()) as Partial<Account>;
        changes.push({ match: request.headers.get("if-match"), body });
        if (changes.at(-1)?.match !== `"${held.version}"`) return problem(412, "version_mismatch");
        held = { ...held, ...body, version: held.version + 1 };
        return HttpResponse.json(held);
      }),
    );
  });

  const confirm = async (button: string, title: string, action: string) => {
    await userEvent.click(await screen.findByRole("button", { name: button }));
    const dialog = await screen.findByRole("dialog", { name: title });
    await userEvent.click(within(dialog).getByRole("button", { name: action }));
    await waitFor(() => expect(dialog).not.toBeInTheDocument());
  };

  it("may get the roles that there are, each with what it allows", async () => {
    renderApp(<AccountPage userId="u-2" />, { user: admin });
    const form = await screen.findByRole("form", { name: "Roles" });
    const boxes = within(form).getAllByRole("checkbox");
    expect(boxes.map((box) => box.closest("label")?.textContent)).toEqual([
      "CustomerBuys and talks",
      "OperatorRuns the shop",
      "GuestOf this installation only",
    ]);
    await userEvent.click(within(form).getByText(/: Operator$/));
    expect(within(form).getByText("Move any order through its statuses")).toBeVisible();
  });

  it("says that the roles cannot be learnt, and is shown all the same", async () => {
    server.use(http.get(url("/roles"), () => problem(503, "unavailable")));
    renderApp(<AccountPage userId="u-2" />, { user: admin });
    expect(await screen.findByText("It failed: unavailable")).toBeInTheDocument();
    expect(screen.getByText("grace@example.com")).toBeInTheDocument();
  });

  it("is not deleted when somebody has changed it meanwhile", async () => {
    const matched: (string | null)[] = [];
    server.use(
      http.delete(url("/users/u-2"), ({ request }) => {
        matched.push(request.headers.get("if-match"));
        held = account({ version: 4, full_name: "Somebody else was here" });
        return problem(412, "version_mismatch");
      }),
    );
    renderApp(<AccountPage userId="u-2" />, { user: admin });
    await userEvent.click(await screen.findByRole("button", { name: "Delete" }));
    const dialog = await screen.findByRole("dialog", { name: "Delete the account of grace?" });
    await userEvent.click(within(dialog).getByRole("button", { name: "Delete the account" }));
    expect(await screen.findByText("Somebody else was here")).toBeInTheDocument();
    expect(matched).toEqual(['"3"']);
    expect(push).not.toHaveBeenCalled();
  });

  it("gets roles, in the version that was read", async () => {
    renderApp(<AccountPage userId="u-2" />, { user: admin });
    const form = await screen.findByRole("form", { name: "Roles" });
    expect(within(form).getByRole("button", { name: "Save roles" })).toBeDisabled();
    await userEvent.click(within(form).getByRole("checkbox", { name: /^Operator/ }));
    held = account({ version: 4, full_name: "Somebody else was here" });
    await userEvent.click(within(form).getByRole("button", { name: "Save roles" }));
    expect(await within(form).findByText("It failed: version_mismatch")).toBeInTheDocument();
    expect(await screen.findByText("Somebody else was here")).toBeInTheDocument();
    await userEvent.click(within(form).getByRole("button", { name: "Save roles" }));
    await waitFor(() => expect(within(form).getByRole("button", { name: "Save roles" })).toBeDisabled());
    expect(changes).toEqual([
      { match: '"3"', body: { roles: ["customer", "operator"] } },
      { match: '"4"', body: { roles: ["customer", "operator"] } },
    ]);
  });

  it("is disabled and enabled again", async () => {
    renderApp(<AccountPage userId="u-2" />, { user: admin });
    await confirm("Disable", "Disable grace?", "Disable the account");
    await userEvent.click(await screen.findByRole("button", { name: "Enable" }));
    expect(await screen.findByRole("button", { name: "Disable" })).toBeInTheDocument();
    expect(changes.map(({ body }) => body)).toEqual([{ is_active: false }, { is_active: true }]);
  });

  it("is signed out, loses its second factor, and is deleted", async () => {
    const done: string[] = [];
    const answer = ({ request }: { request: Request }) => {
      done.push(new URL(request.url).pathname);
      return new HttpResponse(null, { status: 204 });
    };
    server.use(
      http.delete(url("/realtime/users/u-2/sessions"), answer),
      http.delete(url("/users/u-2/second-factor"), answer),
      http.delete(url("/users/u-2"), answer),
    );
    renderApp(<AccountPage userId="u-2" />, { user: admin });
    await confirm("Sign out everywhere", "Sign grace out everywhere?", "Sign out everywhere");
    await confirm("Remove two-step sign-in", "Remove the two-step sign-in of grace?", "Remove it");
    await confirm("Delete", "Delete the account of grace?", "Delete the account");
    expect(done).toEqual([
      "/api/v1/realtime/users/u-2/sessions",
      "/api/v1/users/u-2/second-factor",
      "/api/v1/users/u-2",
    ]);
    expect(push).toHaveBeenCalledWith("/people");
  });

  it("leads to its orders and its trail", async () => {
    renderApp(<AccountPage userId="u-2" />, { user: admin });
    expect(await screen.findByRole("link", { name: "Orders" })).toHaveAttribute("href", "/desk?person=u-2");
    expect(document.title).toBe("grace · Mobula");
    expect(screen.getByRole("link", { name: "What they did" })).toHaveAttribute("href", "/audit?by=u-2");
    expect(screen.getByRole("link", { name: "Changes of the account" })).toHaveAttribute(
      "href",
      "/audit?tab=accounts&account=u-2",
    );
  });

  it("is only shown to those who may not change it, and to its owner", async () => {
    const { view } = renderApp(<AccountPage userId="u-2" />, {
      user: currentUser({ permissions: ["users:read"] }),
    });
    expect(await screen.findByText("grace@example.com")).toBeInTheDocument();
    expect(screen.queryByRole("button")).not.toBeInTheDocument();
    view.unmount();
    renderApp(<AccountPage userId="u-2" />, { user: { ...admin, id: "u-2" } });
    expect(await screen.findByRole("form", { name: "Roles" })).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Disable" })).not.toBeInTheDocument();
  });
});
