import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";

import { ForgotPasswordForm } from "@/features/auth/components/forgot-password-form";
import { ResetPasswordForm } from "@/features/auth/components/reset-password-form";
import { VerificationBanner } from "@/features/auth/components/verification-banner";
import { VerifyEmail } from "@/features/auth/components/verify-email";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

beforeEach(() => {
  window.location.hash = "";
});

/** Asks with the form, and sees what the API is asked. */
async function askForLink(email: string) {
  let body: unknown;
  server.use(
    http.post(url("/auth/password/forgot"), async ({ request }) => {
      body = await request.json();
      return HttpResponse.json({ detail: "If there is …" }, { status: 202 });
    }),
  );
  renderApp(<ForgotPasswordForm />);
  await userEvent.type(screen.getByLabelText("Email"), email);
  await userEvent.click(screen.getByRole("button", { name: "Send the link" }));
  expect(await screen.findByText("Look into your mail")).toBeInTheDocument();
  expect(body).toEqual({ email });
}

describe("a forgotten password", () => {
  it("is answered alike whether or not there is an account", async () => {
    await askForLink("ada@example.com");
    await userEvent.click(screen.getByRole("button", { name: "Try another address" }));
    expect(screen.getByLabelText("Email")).toBeInTheDocument();
  });

  it("is sent to an address in whichever letters", async () => {
    await askForLink("josé@bücher.example");
  });

  it("is not sent to what is no address", async () => {
    renderApp(<ForgotPasswordForm />);
    await userEvent.type(screen.getByLabelText("Email"), "ada");
    await userEvent.click(screen.getByRole("button", { name: "Send the link" }));
    await waitFor(() => expect(screen.getByLabelText("Email")).toBeInvalid());
  });
});

describe("choosing a new password", () => {
  async function choose(password: string) {
    renderApp(<ResetPasswordForm />);
    await userEvent.type(await screen.findByLabelText("New password"), password);
    await userEvent.click(screen.getByRole("button", { name: "Set the new password" }));
  }

  it("sends what the link carries, and leads to signing in", async () => {
    window.location.hash = "#mot_secret";
    let body: unknown;
    server.use(
      http.post(url("/auth/password/reset"), async ({ request }) => {
        body = await request.json();
        return new HttpResponse(null, { status: 204 });
      }),
    );
    await choose("green teapot in the rain");
    expect(await screen.findByText("Your new password is set")).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "Sign in" })).toHaveAttribute("href", "/login");
    expect(body).toEqual({ token: "mot_secret", new_password: "green teapot in the rain" });
  });

  it("puts the server's complaint beside the field", async () => {
    window.location.hash = "#mot_secret";
    server.use(
      http.post(url("/auth/password/reset"), () =>
        problem(422, "password_too_weak", {
          errors: [{ pointer: "#/new_password", code: "password_too_weak", message: "Too common." }],
        }),
      ),
    );
    await choose("password1234!");
    await waitFor(() => expect(screen.getByLabelText("New password")).toBeInvalid());
    expect(screen.getByLabelText("New password")).toHaveAccessibleDescription(/Too common/);
  });

  it("offers a new link when this one is dead", async () => {
    window.location.hash = "#mot_secret";
    server.use(
      http.post(url("/auth/password/reset"), () =>
        problem(422, "link_invalid", {
          errors: [{ pointer: "#/token", code: "link_invalid", message: "Not valid." }],
        }),
      ),
    );
    await choose("green teapot in the rain");
    expect(await screen.findByRole("link", { name: "Ask for a new link" })).toHaveAttribute(
      "href",
      "/forgot-password",
    );
  });

  it("begins anew with a second link in the same tab", async () => {
    window.location.hash = "#mot_old";
    const bodies: unknown[] = [];
    server.use(
      http.post(url("/auth/password/reset"), async ({ request }) => {
        const body = (await request.json()) as { token: string };
        bodies.push(body.token);
        return body.token === "mot_old"
          ? problem(422, "link_invalid")
          : new HttpResponse(null, { status: 204 });
      }),
    );
    await choose("green teapot in the rain");
    await screen.findByText("This link does not work");
    window.location.hash = "#mot_new";
    await userEvent.type(await screen.findByLabelText("New password"), "green teapot in the rain");
    await userEvent.click(screen.getByRole("button", { name: "Set the new password" }));
    expect(await screen.findByText("Your new password is set")).toBeInTheDocument();
    expect(bodies).toEqual(["mot_old", "mot_new"]);
  });

  it("offers one at once when the link carries nothing", async () => {
    renderApp(<ResetPasswordForm />);
    expect(await screen.findByText("This link does not work")).toBeInTheDocument();
  });
});

describe("confirming an address", () => {
  it("follows the link by itself, once", async () => {
    window.location.hash = "#mot_secret";
    const bodies: unknown[] = [];
    server.use(
      http.post(url("/auth/email/verify"), async ({ request }) => {
        bodies.push(await request.json());
        return HttpResponse.json({ email: "ada@example.com" });
      }),
    );
    renderApp(<VerifyEmail />);
    expect(await screen.findByText("Thank you: ada@example.com is yours.")).toBeInTheDocument();
    expect(bodies).toEqual([{ token: "mot_secret" }]);
  });

  it("follows a second link in the same tab", async () => {
    window.location.hash = "#mot_old";
    server.use(
      http.post(url("/auth/email/verify"), async ({ request }) =>
        ((await request.json()) as { token: string }).token === "mot_old"
          ? problem(422, "link_invalid")
          : HttpResponse.json({ email: "ada@example.com" }),
      ),
    );
    renderApp(<VerifyEmail />);
    await screen.findByText("This link does not work");
    window.location.hash = "#mot_new";
    expect(await screen.findByText("Your address is confirmed")).toBeInTheDocument();
  });

  it("says when the link is dead", async () => {
    window.location.hash = "#mot_secret";
    server.use(http.post(url("/auth/email/verify"), () => problem(422, "link_invalid")));
    renderApp(<VerifyEmail />);
    expect(await screen.findByText("This link does not work")).toBeInTheDocument();
  });

  it("can be tried again when the server was away", async () => {
    window.location.hash = "#mot_secret";
    let away = true;
    server.use(
      http.post(url("/auth/email/verify"), () =>
        away ? problem(503, "unavailable") : HttpResponse.json({ email: "ada@example.com" }),
      ),
    );
    renderApp(<VerifyEmail />);
    expect(await screen.findByText("Your address is not confirmed yet")).toBeInTheDocument();
    away = false;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("Your address is confirmed")).toBeInTheDocument();
  });
});

describe("the banner", () => {
  it("is for those who have not confirmed their address", () => {
    renderApp(<VerificationBanner />);
    expect(screen.queryByRole("region", { name: "Confirm your address" })).toBeNull();
  });

  it("sends the link again, and says when that is too soon", async () => {
    const user = currentUser({ is_verified: false });
    let asked = 0;
    server.use(
      http.get(url("/auth/me"), () => HttpResponse.json(user)),
      http.post(url("/auth/email/verification"), () => {
        asked += 1;
        return asked === 1
          ? HttpResponse.json({ detail: "on its way" }, { status: 202 })
          : problem(429, "too_many_mails");
      }),
    );
    renderApp(<VerificationBanner />, { user });
    expect(screen.getByRole("region", { name: "Confirm your address" })).toHaveTextContent("ada@example.com");
    await userEvent.click(screen.getByRole("button", { name: "Send again" }));
    expect(await screen.findAllByText("The link is on its way")).not.toHaveLength(0);
    await userEvent.click(screen.getByRole("button", { name: "Send again" }));
    expect(await screen.findAllByText("No link was sent")).not.toHaveLength(0);
  });
});
