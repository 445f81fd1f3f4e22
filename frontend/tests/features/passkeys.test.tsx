import { WebAuthnError } from "@simplewebauthn/browser";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { Passkeys } from "@/features/auth/components/passkeys";
import type { Passkey } from "@/lib/api/types";

import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url, wrongPassword } from "../support/server";
import { browser, resetBrowser } from "../support/webauthn";

vi.mock("@simplewebauthn/browser", async (original) => {
  const { fakeWebAuthn } = await import("../support/webauthn");
  return fakeWebAuthn(original as () => Promise<object>);
});

const PASSWORD = "blue kettle on fire";
const OPTIONS = { challenge: "AAAA", rp: { id: "localhost", name: "Mobula" } };
const DECLINED = new WebAuthnError({
  message: "for programmers",
  code: "ERROR_PASSTHROUGH_SEE_CAUSE_PROPERTY",
  cause: Object.assign(new Error("no"), { name: "NotAllowedError" }),
});

let passkeys: Passkey[];
let twoSteps: boolean;
/** What the API was sent, by path. */
let sent: Record<string, unknown>;

function passkey(part: Partial<Passkey> = {}): Passkey {
  return {
    id: "p-1",
    name: "telephone",
    credential_id: "key-1",
    synced: false,
    created_at: "2026-11-26T12:00:00Z",
    last_used_at: null,
    _links: { self: { href: "/x" } },
    ...part,
  };
}

beforeEach(() => {
  resetBrowser();
  passkeys = [];
  twoSteps = false;
  sent = {};
  server.use(
    http.get(url("/auth/second-factor"), () =>
      HttpResponse.json({ enabled: twoSteps, enabled_at: null, recovery_codes_left: 0, _links: {} }),
    ),
    http.get(url("/auth/passkeys"), () =>
      HttpResponse.json({ items: passkeys, limit: 2, rp_id: "localhost" }),
    ),
    http.post(url("/auth/passkeys/options"), async ({ request }) => {
      sent.options = await request.json();
      return HttpResponse.json({ options: OPTIONS, expires_in: 300 });
    }),
    http.post(url("/auth/passkeys"), async ({ request }) => {
      const body = (await request.json()) as { name: string };
      sent.added = body;
      passkeys = [...passkeys, passkey({ name: body.name })];
      return HttpResponse.json(passkeys.at(-1), { status: 201 });
    }),
    http.patch(url("/auth/passkeys/p-1"), async ({ request }) => {
      const body = (await request.json()) as { name: string };
      passkeys = [passkey(body)];
      return HttpResponse.json(passkeys[0]);
    }),
    http.post(url("/auth/passkeys/p-1/remove"), async ({ request }) => {
      sent.removed = await request.json();
      passkeys = [];
      return new HttpResponse(null, { status: 204 });
    }),
  );
});

const press = async (name: string) => userEvent.click(await screen.findByRole("button", { name }));
const type = async (label: string, text: string) => userEvent.type(await screen.findByLabelText(label), text);

async function proveIt() {
  renderApp(<Passkeys />);
  await press("Add a passkey");
  await type("Current password", PASSWORD);
  await press("Continue");
  return screen.findByRole("form", { name: "Name the passkey" });
}

describe("the list", () => {
  it("says of each what it is called, whether it is synced, and when it was used", async () => {
    passkeys = [
      passkey(),
      passkey({ id: "p-2", name: "manager", synced: true, last_used_at: new Date().toISOString() }),
    ];
    renderApp(<Passkeys />);
    const list = await screen.findByRole("list", { name: "Passkeys" });
    const [first, second] = within(list).getAllByRole("listitem");
    expect(first).toHaveTextContent(/telephone.*Added.*never used/);
    expect(first).not.toHaveTextContent("Synced");
    expect(second).toHaveTextContent(/manager.*Synced.*last used/);
  });

  it("offers no more than an account may have", async () => {
    passkeys = [passkey(), passkey({ id: "p-2", name: "other" })];
    renderApp(<Passkeys />);
    expect(await screen.findByText(/An account may have 2/)).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Add a passkey" })).toBeNull();
  });

  it("offers none where the browser knows none, and says so; those there are can be removed", async () => {
    browser.supported = false;
    passkeys = [passkey()];
    renderApp(<Passkeys />);
    expect(await screen.findByRole("button", { name: "Remove telephone" })).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Add a passkey" })).toBeNull();
    expect(screen.getByText(/This browser cannot create passkeys/)).toBeInTheDocument();
  });
});

describe("adding one", () => {
  it("asks for the password, then for a name, and then the browser asks", async () => {
    const form = await proveIt();
    expect(sent.options).toEqual({ current_password: PASSWORD });
    expect(browser.create).not.toHaveBeenCalled();
    const name = within(form).getByLabelText("Name");
    expect(name).not.toHaveValue("");
    await userEvent.clear(name);
    await press("Create passkey");
    expect(name).toBeInvalid();
    await userEvent.type(name, "my telephone");
    await press("Create passkey");
    expect(await screen.findByText("The passkey is added")).toBeInTheDocument();
    expect(browser.create).toHaveBeenCalledWith({ optionsJSON: OPTIONS });
    expect(sent.added).toMatchObject({ name: "my telephone", credential: { id: "key-1" } });
    expect(await screen.findByRole("list", { name: "Passkeys" })).toHaveTextContent("my telephone");
    await waitFor(() => expect(screen.queryByRole("dialog", { name: "Add a passkey" })).toBeNull());
  });

  it("asks for a code where there is a second factor", async () => {
    twoSteps = true;
    renderApp(<Passkeys />);
    await press("Add a passkey");
    await type("Code", "123456");
    await type("Current password", PASSWORD);
    await press("Continue");
    await screen.findByRole("form", { name: "Name the passkey" });
    expect(sent.options).toEqual({ current_password: PASSWORD, code: "123456" });
  });

  it("can be tried again when somebody said no to the browser, without the password", async () => {
    browser.create.mockRejectedValueOnce(DECLINED);
    await proveIt();
    await press("Create passkey");
    expect(await screen.findByRole("alert")).toHaveTextContent("No passkey was created. You can try again.");
    await press("Create passkey");
    expect(await screen.findByText("The passkey is added")).toBeInTheDocument();
  });

  it("says that the device has one already", async () => {
    browser.create.mockRejectedValueOnce(
      new WebAuthnError({
        message: "for programmers",
        code: "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED",
        cause: Object.assign(new Error("no"), { name: "InvalidStateError" }),
      }),
    );
    await proveIt();
    await press("Create passkey");
    expect(await screen.findByRole("alert")).toHaveTextContent(
      "This device has a passkey of this account already.",
    );
  });

  it("begins again when the server refused, and says why", async () => {
    server.use(http.post(url("/auth/passkeys"), () => problem(409, "passkey_setup_over")));
    await proveIt();
    await press("Create passkey");
    const again = await screen.findByRole("form", { name: "Show that it is you" });
    expect(within(again).getByRole("alert")).toHaveTextContent("passkey_setup_over");
  });

  it("stays while the browser asks", async () => {
    browser.create.mockReturnValue(new Promise(() => undefined));
    await proveIt();
    await press("Create passkey");
    await userEvent.keyboard("{Escape}");
    expect(screen.getByRole("dialog")).toBeInTheDocument();
  });

  it("needs the right password", async () => {
    server.use(http.post(url("/auth/passkeys/options"), wrongPassword));
    renderApp(<Passkeys />);
    await press("Add a passkey");
    await press("Continue");
    expect(screen.getByLabelText("Current password")).toBeInvalid();
    await type("Current password", "wrong");
    await press("Continue");
    await waitFor(() =>
      expect(screen.getByLabelText("Current password")).toHaveAccessibleDescription(
        "This is not your current password.",
      ),
    );
    expect(screen.getAllByRole("alert"), "said once, beside the field").toHaveLength(1);
  });
});

describe("changing one", () => {
  beforeEach(() => {
    passkeys = [passkey()];
    renderApp(<Passkeys />);
  });

  it("gives it another name", async () => {
    await press("Rename telephone");
    const name = await screen.findByLabelText("Name");
    await userEvent.clear(name);
    await userEvent.type(name, "old telephone");
    await press("Save name");
    expect(await screen.findByText("old telephone")).toBeInTheDocument();
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("removes it, given the password, and tells the browser", async () => {
    await press("Remove telephone");
    await type("Current password", PASSWORD);
    await press("Remove passkey");
    expect(await screen.findByText("The passkey is removed")).toBeInTheDocument();
    await waitFor(() => expect(screen.queryByRole("list", { name: "Passkeys" })).toBeNull());
    expect(sent.removed).toEqual({ current_password: PASSWORD });
    await waitFor(() =>
      expect(browser.signal).toHaveBeenCalledWith({
        signalName: "unknownCredential",
        rpID: "localhost",
        credentialID: "key-1",
      }),
    );
  });

  it("keeps it when the password is wrong", async () => {
    server.use(http.post(url("/auth/passkeys/p-1/remove"), wrongPassword));
    await press("Remove telephone");
    await type("Current password", "wrong");
    await press("Remove passkey");
    expect(await screen.findByRole("alert")).toHaveTextContent("This is not your current password.");
    expect(browser.signal).not.toHaveBeenCalled();
  });
});
