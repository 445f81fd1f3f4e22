import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { LoginForm } from "@/features/auth/components/login-form";
import { RegisterForm } from "@/features/auth/components/register-form";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const replace = vi.fn();
vi.mock("next/navigation", () => ({ useRouter: () => ({ replace }) }));

beforeEach(() => replace.mockReset());

const PASSWORD = "blue kettle on fire";

/** Has the API let everybody in, and keeps what it was asked. */
function letIn(): { body?: unknown } {
  const asked: { body?: unknown } = {};
  server.use(
    http.post(url("/auth/login"), async ({ request }) => {
      asked.body = await request.json();
      return HttpResponse.json({ user: currentUser() });
    }),
  );
  return asked;
}

async function signIn(email: string) {
  renderApp(<LoginForm next="/orders" registerHref="/register" />);
  await userEvent.type(screen.getByLabelText("Email"), email);
  await userEvent.type(screen.getByLabelText("Password"), PASSWORD);
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
}

describe("signing in", () => {
  it("asks for cookies and goes where it was asked to", async () => {
    const asked = letIn();
    await signIn("ada@example.com");
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/orders"));
    expect(asked.body).toEqual({ email: "ada@example.com", password: PASSWORD, mode: "cookie" });
    expect(localStorage.length).toBe(0);
  });

  it.each(["josé@example.com", "me@bücher.example", "root@intranet"])("lets %s in", async (email) => {
    const asked = letIn();
    await signIn(email);
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/orders"));
    expect(asked.body).toMatchObject({ email });
  });

  it.each(["ada", "@example.com", "ada@"])("asks nobody about %s", async (email) => {
    await signIn(email);
    await waitFor(() => expect(screen.getByLabelText("Email")).toBeInvalid());
  });

  it("says what was wrong, with the request to quote, and keeps what was typed", async () => {
    server.use(http.post(url("/auth/login"), () => problem(401, "invalid_credentials")));
    renderApp(<LoginForm next="/" registerHref="/register" />);
    await userEvent.type(screen.getByLabelText("Email"), "ada@example.com");
    await userEvent.type(screen.getByLabelText("Password"), "wrong");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("It failed: invalid_credentials");
    expect(screen.getByRole("alert")).toHaveTextContent("req-1");
    expect(screen.getByLabelText("Email")).toHaveValue("ada@example.com");
    expect(replace).not.toHaveBeenCalled();
  });

  it("asks nobody when a field is empty, and points at it", async () => {
    renderApp(<LoginForm next="/" registerHref="/register" />);
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    await waitFor(() => expect(screen.getByLabelText("Email")).toBeInvalid());
    expect(screen.getByLabelText("Email")).toHaveAccessibleDescription(
      "Enter the e-mail address of your account.",
    );
  });

  it("shows the password on demand", async () => {
    renderApp(<LoginForm next="/" registerHref="/register" />);
    const field = screen.getByLabelText("Password");
    expect(field).toHaveAttribute("type", "password");
    await userEvent.click(screen.getByRole("button", { name: "Show what is typed" }));
    expect(field).toHaveAttribute("type", "text");
  });
});

describe("registering", () => {
  async function fill(email = "ada@example.com") {
    renderApp(<RegisterForm next="/dashboard" loginHref="/login" />);
    await userEvent.type(screen.getByLabelText("Email"), email);
    await userEvent.type(screen.getByLabelText("Username"), "ada");
    await userEvent.type(screen.getByLabelText("Password"), PASSWORD);
    await userEvent.click(screen.getByRole("button", { name: "Create account" }));
  }

  it("creates the account and signs in", async () => {
    server.use(
      http.post(url("/auth/register"), () => HttpResponse.json(currentUser(), { status: 201 })),
      http.post(url("/auth/login"), () => HttpResponse.json({ user: currentUser() })),
    );
    await fill();
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/dashboard"));
  });

  it("takes an address in whichever letters", async () => {
    server.use(
      http.post(url("/auth/register"), () => HttpResponse.json(currentUser(), { status: 201 })),
      http.post(url("/auth/login"), () => HttpResponse.json({ user: currentUser() })),
    );
    await fill("josé@bücher.example");
    await waitFor(() => expect(replace).toHaveBeenCalledWith("/dashboard"));
  });

  it("does not call an account taken that it has just made, when only signing in failed", async () => {
    server.use(
      http.post(url("/auth/register"), () => HttpResponse.json(currentUser(), { status: 201 })),
      http.post(url("/auth/login"), () =>
        problem(429, "too_many_login_attempts", { detail: "Too many failed attempts; wait a little." }),
      ),
    );
    await fill();
    expect(await screen.findByText("Your account is ready")).toBeInTheDocument();
    expect(screen.getByText(/Too many failed attempts; wait a little\./)).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "Sign in" })).toHaveAttribute("href", "/login");
    expect(screen.queryByRole("button", { name: "Create account" })).not.toBeInTheDocument();
    expect(replace).not.toHaveBeenCalled();
  });

  it("puts the server's complaints beside their fields", async () => {
    server.use(
      http.post(url("/auth/register"), () =>
        problem(422, "validation_failed", {
          errors: [
            { pointer: "#/password", code: "password_common", message: "This password is too common." },
          ],
        }),
      ),
    );
    await fill();
    await waitFor(() => expect(screen.getByLabelText("Password")).toBeInvalid());
    expect(screen.getByLabelText("Password")).toHaveAccessibleDescription(/This password is too common/);
  });

  it("says when the name is taken", async () => {
    server.use(http.post(url("/auth/register"), () => problem(409, "username_taken")));
    await fill();
    expect(await screen.findByRole("alert")).toHaveTextContent("It failed: username_taken");
  });

  it("does not claim an account when the server hides whether there was one", async () => {
    server.use(http.post(url("/auth/register"), () => HttpResponse.json({ detail: "ok" }, { status: 202 })));
    await fill();
    expect(await screen.findByText("Almost there")).toBeInTheDocument();
    expect(replace).not.toHaveBeenCalled();
  });
});
