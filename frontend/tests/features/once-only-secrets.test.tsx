import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { ApiKeys } from "@/features/auth/components/api-keys";
import { LoginCodeForm } from "@/features/auth/components/login-code-form";
import { SecondFactor } from "@/features/auth/components/second-factor";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const PASSWORD = "blue kettle on fire";

let enabled: boolean;
/** What the first question is answered; later ones are not, for as long as a test lasts. */
let asked: number;
beforeEach(() => {
  asked = 0;
  server.use(
    http.get(url("/auth/second-factor"), () => {
      asked += 1;
      return asked > 1
        ? new Promise<never>(() => undefined)
        : HttpResponse.json({ enabled, enabled_at: null, recovery_codes_left: 10, _links: {} });
    }),
  );
});

const press = async (name: string) => userEvent.click(await screen.findByRole("button", { name }));
const type = async (label: string, text: string) => userEvent.type(await screen.findByLabelText(label), text);

/** A route whose answer is held back until the test lets it go. */
function heldBack(path: string, answer: object) {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const hit = vi.fn();
  server.use(
    http.post(url(path), async () => {
      hit();
      await released;
      return HttpResponse.json(answer);
    }),
  );
  return { hit, release };
}

async function enrolUpToTheCode() {
  enabled = false;
  server.use(
    http.post(url("/auth/second-factor/totp"), () =>
      HttpResponse.json({ secret: "JBSWY3DPEHPK3PXP", otpauth_uri: "otpauth://x", qr_svg: "<svg/>" }),
    ),
  );
  renderApp(<SecondFactor />);
  await press("Set up an authenticator app");
  await type("Current password", PASSWORD);
  await press("Continue");
  await type("Code", "123456");
}

async function proveToRenew() {
  enabled = true;
  renderApp(<SecondFactor />);
  await press("New recovery codes");
  await type("Current password", PASSWORD);
  await type("Code", "123456");
}

describe("recovery codes", () => {
  it.each([
    ["/auth/second-factor/totp/confirm", enrolUpToTheCode, "Switch on"],
    ["/auth/second-factor/recovery-codes", proveToRenew, "Make new codes"],
  ] as const)("of %s are shown at once, and to somebody", async (path, prepare, action) => {
    await prepare();
    const { hit, release } = heldBack(path, { recovery_codes: ["AAAA-BBBB-CCCC"] });
    await press(action);
    await waitFor(() => expect(hit).toHaveBeenCalled());
    await press("Cancel");
    release();
    expect(await screen.findByText("AAAA-BBBB-CCCC")).toBeInTheDocument();
    await waitFor(() => expect(asked, "and what they change is fetched again").toBe(2));
  });
});

describe("a new API key", () => {
  const form = async () => {
    await press("New API key");
    await type("Name", "ci");
    await userEvent.click(screen.getByLabelText("orders:place"));
    await press("Create key");
  };

  it("is shown though the list of keys is not fetched yet", async () => {
    let listed = 0;
    server.use(
      http.get(url("/auth/api-keys"), () => {
        listed += 1;
        return listed > 1 ? new Promise<never>(() => undefined) : HttpResponse.json({ items: [] });
      }),
      http.post(url("/auth/api-keys"), () => HttpResponse.json({ id: "k-1", key: "mob_secret" })),
    );
    renderApp(<ApiKeys />);
    await screen.findByText("No API keys");
    await form();
    expect(await screen.findByLabelText("API key")).toHaveValue("mob_secret");
  });

  it("does not begin with what went wrong the last time", async () => {
    server.use(
      http.get(url("/auth/api-keys"), () => HttpResponse.json({ items: [] })),
      http.post(url("/auth/api-keys"), () => problem(409, "too_many_api_keys")),
    );
    renderApp(<ApiKeys />);
    await form();
    expect(await screen.findByRole("alert")).toHaveTextContent("too_many_api_keys");
    await press("Cancel");
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    await press("New API key");
    await screen.findByRole("form", { name: "New API key" });
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  });
});

it.each(["Start again", "Use a recovery code"])(
  "leads on who is signed in by a code, though they press %s meanwhile",
  async (button) => {
    const { hit, release } = heldBack("/auth/login/second-factor", { user: currentUser() });
    const onSignedIn = vi.fn();
    const onStartAgain = vi.fn();
    renderApp(<LoginCodeForm challenge="mot_1" onSignedIn={onSignedIn} onStartAgain={onStartAgain} />);
    await type("Code", "123456");
    await press("Sign in");
    await waitFor(() => expect(hit).toHaveBeenCalled());
    await press(button);
    release();
    await waitFor(() => expect(onSignedIn).toHaveBeenCalled());
    expect(onStartAgain).not.toHaveBeenCalled();
  },
);
