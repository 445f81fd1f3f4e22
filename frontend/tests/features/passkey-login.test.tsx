import { WebAuthnError } from "@simplewebauthn/browser";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { LoginForm } from "@/features/auth/components/login-form";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";
import { browser, resetBrowser } from "../support/webauthn";

vi.mock("@simplewebauthn/browser", async (original) => {
  const { fakeWebAuthn } = await import("../support/webauthn");
  return fakeWebAuthn(original as () => Promise<object>);
});
const replace = vi.fn();
vi.mock("next/navigation", () => ({ useRouter: () => ({ replace }) }));

const OPTIONS = { challenge: "AAAA", rpId: "localhost", userVerification: "required" };

let asked: number;
let given: unknown;

beforeEach(() => {
  resetBrowser();
  replace.mockReset();
  asked = 0;
  given = undefined;
  server.use(
    http.post(url("/auth/login/passkey/options"), () => {
      asked += 1;
      return HttpResponse.json({ options: OPTIONS, expires_in: 300 });
    }),
    http.post(url("/auth/login/passkey"), async ({ request }) => {
      given = await request.json();
      return HttpResponse.json({ user: currentUser() });
    }),
  );
});

const show = () => renderApp(<LoginForm next="/orders" registerHref="/register" />);
const button = () => screen.getByRole("button", { name: "Sign in with a passkey" });

function browserError(code: ConstructorParameters<typeof WebAuthnError>[0]["code"], name: string) {
  const cause = Object.assign(new Error(name), { name });
  return new WebAuthnError({ message: "for programmers", code, cause });
}

const declined = () => browserError("ERROR_PASSTHROUGH_SEE_CAUSE_PROPERTY", "NotAllowedError");

describe("the button", () => {
  it("signs in with whatever passkey there is, and goes where it was asked to", async () => {
    show();
    await userEvent.click(button());
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/orders"));
    expect(browser.get).toHaveBeenCalledWith({ optionsJSON: OPTIONS, useBrowserAutofill: false });
    expect(given).toEqual({
      credential: { id: "key-1", rawId: "key-1", type: "public-key" },
      mode: "cookie",
    });
    expect(button()).toHaveAttribute("aria-busy", "true");
  });

  it("is absent where the browser knows no passkeys, and nothing is asked for", () => {
    browser.supported = false;
    browser.autofill = true;
    show();
    expect(screen.queryByRole("button", { name: "Sign in with a passkey" })).toBeNull();
    expect(screen.getByRole("button", { name: "Sign in" })).toBeInTheDocument();
    expect(asked).toBe(0);
  });

  it("says in our words that nothing came of it, and lets them try again", async () => {
    browser.get.mockRejectedValueOnce(declined());
    show();
    await userEvent.click(button());
    expect(await screen.findByRole("alert")).toHaveTextContent(
      "No passkey was used. Try again, or sign in with your password.",
    );
    expect(given).toBeUndefined();
    await userEvent.click(button());
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/orders"));
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("says where passkeys work when this is another address", async () => {
    browser.get.mockRejectedValueOnce(browserError("ERROR_INVALID_RP_ID", "SecurityError"));
    show();
    await userEvent.click(button());
    expect(await screen.findByRole("alert")).toHaveTextContent("Passkeys do not work at this address.");
  });

  it("says what the server says", async () => {
    server.use(http.post(url("/auth/login/passkey"), () => problem(401, "passkey_invalid")));
    show();
    await userEvent.click(button());
    expect(await screen.findByRole("alert")).toHaveTextContent("It failed: passkey_invalid");
    expect(replace).not.toHaveBeenCalled();
  });

  it("takes back what it said when the password is tried", async () => {
    browser.get.mockRejectedValueOnce(declined());
    server.use(http.post(url("/auth/login"), () => problem(401, "invalid_credentials")));
    show();
    await userEvent.click(button());
    await screen.findByRole("alert");
    await userEvent.type(screen.getByLabelText("Email"), "ada@example.com");
    await userEvent.type(screen.getByLabelText("Password"), "wrong");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    await waitFor(() => expect(screen.getByRole("alert")).toHaveTextContent("invalid_credentials"));
  });
});

describe("what the browser offers below the field", () => {
  it("signs in when it is chosen", async () => {
    browser.autofill = true;
    show();
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/orders"));
    expect(browser.get).toHaveBeenCalledWith({ optionsJSON: OPTIONS, useBrowserAutofill: true });
    expect(screen.getByLabelText("Email")).toHaveAttribute("autocomplete", "username webauthn");
  });

  it("says why a chosen one is not accepted, and offers them again", async () => {
    browser.autofill = true;
    browser.get.mockResolvedValueOnce({ id: "key-1" }).mockReturnValue(new Promise(() => undefined));
    server.use(http.post(url("/auth/login/passkey"), () => problem(401, "passkey_invalid")));
    show();
    expect(await screen.findByRole("alert")).toHaveTextContent("passkey_invalid");
    await waitFor(() => expect(browser.get).toHaveBeenCalledTimes(2));
  });

  it("gives way to the button, and comes back when nothing came of that", async () => {
    browser.autofill = true;
    browser.get.mockImplementation(({ useBrowserAutofill }) =>
      useBrowserAutofill ? new Promise(() => undefined) : Promise.reject(declined()),
    );
    show();
    await waitFor(() => expect(browser.get).toHaveBeenCalledTimes(1));
    await userEvent.click(button());
    expect(await screen.findByRole("alert")).toHaveTextContent("No passkey was used.");
    await waitFor(() => expect(browser.get).toHaveBeenCalledTimes(3));
    expect(browser.get.mock.calls.map(([call]) => call.useBrowserAutofill)).toEqual([true, false, true]);
  });

  it("is nobody's business when it does not work", async () => {
    browser.autofill = true;
    const refused = vi.fn();
    server.use(
      http.post(url("/auth/login/passkey/options"), () => {
        refused();
        return problem(503, "database_unavailable");
      }),
    );
    show();
    await waitFor(() => expect(refused).toHaveBeenCalled());
    expect(browser.get).not.toHaveBeenCalled();
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("is asked for anew before the challenge is void", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    try {
      browser.autofill = true;
      browser.get.mockReturnValue(new Promise(() => undefined));
      show();
      await waitFor(() => expect(asked).toBe(1));
      await vi.advanceTimersByTimeAsync(271_000);
      await waitFor(() => expect(asked).toBe(2));
    } finally {
      vi.useRealTimers();
    }
  });
});
