import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import { LoginForm } from "@/features/auth/components/login-form";
import { PasswordForm } from "@/features/auth/components/password-form";
import { SecondFactor } from "@/features/auth/components/second-factor";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url, wrongPassword } from "../support/server";

const replace = vi.fn();
vi.mock("next/navigation", () => ({ useRouter: () => ({ replace }) }));

const PASSWORD = "blue kettle on fire";
const ENROLMENT = { secret: "JBSWY3DPEHPK3PXP", otpauth_uri: "otpauth://x", qr_svg: "<svg/>" };
const LINKS = { self: { href: "/x" } };

function secondFactor(enabled: boolean, left = enabled ? 10 : 0) {
  return {
    enabled,
    enabled_at: enabled ? "2026-11-26T12:00:00Z" : null,
    recovery_codes_left: left,
    _links: LINKS,
  };
}

describe("signing in with a code", () => {
  async function giveThePassword() {
    replace.mockReset();
    server.use(
      http.post(url("/auth/login"), () =>
        HttpResponse.json({ challenge: "mot_1", expires_in: 300 }, { status: 202 }),
      ),
    );
    renderApp(<LoginForm next="/orders" registerHref="/register" />);
    await userEvent.type(screen.getByLabelText("Email"), "ada@example.com");
    await userEvent.type(screen.getByLabelText("Password"), PASSWORD);
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    return screen.findByRole("form", { name: "Confirm it is you" });
  }

  it("answers the challenge and goes where it was asked to", async () => {
    let body: unknown;
    await giveThePassword();
    expect(replace).not.toHaveBeenCalled();
    server.use(
      http.post(url("/auth/login/second-factor"), async ({ request }) => {
        body = await request.json();
        return HttpResponse.json({ user: currentUser() });
      }),
    );
    await userEvent.type(screen.getByLabelText("Code"), " 123456");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/orders"));
    expect(body).toEqual({ challenge: "mot_1", code: "123456", mode: "cookie" });
  });

  it("keeps asking after a wrong code, and takes a recovery code instead", async () => {
    await giveThePassword();
    server.use(http.post(url("/auth/login/second-factor"), () => problem(401, "login_code_invalid")));
    await userEvent.type(screen.getByLabelText("Code"), "000000");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("login_code_invalid");
    expect(screen.getByLabelText("Code")).toHaveValue("");
    await userEvent.click(screen.getByRole("button", { name: "Use a recovery code" }));
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.getByLabelText("Recovery code")).toHaveFocus();
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(screen.getByLabelText("Recovery code")).toBeInvalid();
  });

  it("starts again with the password when the challenge is over, and says why", async () => {
    await giveThePassword();
    server.use(http.post(url("/auth/login/second-factor"), () => problem(401, "login_challenge_invalid")));
    await userEvent.type(screen.getByLabelText("Code"), "123456");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await screen.findByRole("form", { name: "Sign in" })).toBeInTheDocument();
    expect(screen.getByRole("alert")).toHaveTextContent("login_challenge_invalid");
    expect(screen.getByLabelText("Email")).toHaveValue("ada@example.com");
    expect(screen.getByLabelText("Password")).toHaveValue("");
  });
});

describe("setting it up", () => {
  it("asks for the password, shows the QR code, confirms, and shows the recovery codes once", async () => {
    let enabled = false;
    server.use(
      http.get(url("/auth/second-factor"), () => HttpResponse.json(secondFactor(enabled))),
      http.post(url("/auth/second-factor/totp"), () => HttpResponse.json(ENROLMENT)),
      http.post(url("/auth/second-factor/totp/confirm"), async ({ request }) => {
        if (((await request.json()) as { code: string }).code !== "123456") return problem(403, "wrong_code");
        enabled = true;
        return HttpResponse.json({ recovery_codes: ["7QX4-M2KD-9RTA", "0000-1111-2222"] });
      }),
    );
    renderApp(<SecondFactor />);
    await userEvent.click(await screen.findByRole("button", { name: "Set up an authenticator app" }));
    await userEvent.click(screen.getByRole("button", { name: "Continue" }));
    expect(screen.getByLabelText("Current password")).toBeInvalid();
    server.use(http.post(url("/auth/second-factor/totp"), wrongPassword, { once: true }));
    await userEvent.type(screen.getByLabelText("Current password"), PASSWORD);
    await userEvent.click(screen.getByRole("button", { name: "Continue" }));
    await waitFor(() =>
      expect(screen.getByLabelText("Current password")).toHaveAccessibleDescription(
        "This is not your current password.",
      ),
    );
    expect(screen.getAllByRole("alert")).toHaveLength(1);
    await userEvent.click(screen.getByRole("button", { name: "Continue" }));
    const image = await screen.findByRole("img", { name: "QR code for your authenticator app" });
    expect(image).toHaveAttribute("src", expect.stringMatching(/^data:image\/svg\+xml/));
    expect(screen.getByTestId("totp-secret")).toHaveTextContent("JBSW Y3DP EHPK 3PXP");
    await userEvent.type(screen.getByLabelText("Code"), "999999");
    await userEvent.click(screen.getByRole("button", { name: "Switch on" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("wrong_code");
    await userEvent.type(screen.getByLabelText("Code"), "123456");
    await userEvent.click(screen.getByRole("button", { name: "Switch on" }));
    const list = await screen.findByRole("list", { name: "Recovery codes" });
    expect(within(list).getAllByRole("listitem")).toHaveLength(2);
    expect(screen.getByRole("link", { name: "Download" })).toHaveAttribute(
      "href",
      expect.stringContaining("7QX4-M2KD-9RTA"),
    );
    await userEvent.click(screen.getByRole("button", { name: "I have kept them" }));
    expect(await screen.findByText("On")).toBeInTheDocument();
    expect(screen.queryByText("7QX4-M2KD-9RTA")).toBeNull();
  });

  it("goes on with the same QR code when the state cannot be asked for again", async () => {
    server.use(
      http.get(url("/auth/second-factor"), () => HttpResponse.json(secondFactor(false))),
      http.post(url("/auth/second-factor/totp"), () => HttpResponse.json(ENROLMENT)),
    );
    const { queryClient } = renderApp(<SecondFactor />);
    await userEvent.click(await screen.findByRole("button", { name: "Set up an authenticator app" }));
    await userEvent.type(screen.getByLabelText("Current password"), PASSWORD);
    await userEvent.click(screen.getByRole("button", { name: "Continue" }));
    await userEvent.type(await screen.findByLabelText("Code"), "123");
    server.use(http.get(url("/auth/second-factor"), () => problem(503, "unavailable")));
    await queryClient.invalidateQueries();
    expect(screen.getByTestId("totp-secret")).toHaveTextContent("JBSW Y3DP EHPK 3PXP");
    expect(screen.getByLabelText("Code")).toHaveValue("123");
    await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("This may be out of date.");
    expect(screen.getByRole("button", { name: "Set up an authenticator app" })).toBeInTheDocument();
  });
});

describe("changing it", () => {
  it("switches off with both factors", async () => {
    let enabled = true;
    let body: unknown;
    server.use(
      http.get(url("/auth/second-factor"), () => HttpResponse.json(secondFactor(enabled, 1))),
      http.post(url("/auth/second-factor/disable"), async ({ request }) => {
        body = await request.json();
        enabled = false;
        return new HttpResponse(null, { status: 204 });
      }),
    );
    renderApp(<SecondFactor />);
    expect(await screen.findByText("1 recovery code is left.")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Switch off" }));
    await userEvent.click(screen.getByRole("button", { name: "Switch off" }));
    expect(await screen.findByText("Enter a code.")).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText("Current password"), PASSWORD);
    await userEvent.type(screen.getByLabelText("Code"), "123456");
    await userEvent.click(screen.getByRole("button", { name: "Switch off" }));
    expect(await screen.findByText("Off")).toBeInTheDocument();
    expect(body).toEqual({ current_password: PASSWORD, code: "123456" });
  });

  it("makes new recovery codes", async () => {
    server.use(
      http.get(url("/auth/second-factor"), () => HttpResponse.json(secondFactor(true))),
      http.post(url("/auth/second-factor/recovery-codes"), () =>
        HttpResponse.json({ recovery_codes: ["AAAA-BBBB-CCCC"] }),
      ),
    );
    renderApp(<SecondFactor />);
    await userEvent.click(await screen.findByRole("button", { name: "New recovery codes" }));
    await userEvent.type(screen.getByLabelText("Current password"), PASSWORD);
    await userEvent.type(screen.getByLabelText("Code"), "123456");
    await userEvent.click(screen.getByRole("button", { name: "Make new codes" }));
    expect(await screen.findByText("AAAA-BBBB-CCCC")).toBeInTheDocument();
  });

  it("asks for a code beside the password", async () => {
    let body: unknown;
    server.use(
      http.get(url("/auth/second-factor"), () => HttpResponse.json(secondFactor(true))),
      http.patch(url("/auth/me"), async ({ request }) => {
        body = await request.json();
        return problem(403, "wrong_code");
      }),
    );
    renderApp(<PasswordForm />);
    await screen.findByLabelText("Code");
    await userEvent.type(screen.getByLabelText("Current password"), PASSWORD);
    await userEvent.type(screen.getByLabelText("New password"), "green teapot in the rain");
    await userEvent.click(screen.getByRole("button", { name: "Change password" }));
    expect(await screen.findByText("Enter a code.")).toBeInTheDocument();
    expect(body, "nothing is sent without one").toBeUndefined();
    await userEvent.type(screen.getByLabelText("Code"), "123456");
    await userEvent.click(screen.getByRole("button", { name: "Change password" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("wrong_code");
    expect(body).toEqual({
      current_password: PASSWORD,
      new_password: "green teapot in the rain",
      code: "123456",
    });
  });
});
