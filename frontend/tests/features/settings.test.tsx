import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { ProfileForm } from "@/features/auth/components/profile-form";
import { RecoveryCodes } from "@/features/auth/components/recovery-codes";
import { SettingsTabs } from "@/features/auth/components/settings-tabs";
import { CurrentUserProvider } from "@/lib/current-user";

import { currentUser } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, server, url, wrongPassword } from "../support/server";

const CODE = "AAAA-BBBB-CCCC";

beforeEach(() =>
  server.use(
    http.get(url("/auth/second-factor"), () =>
      HttpResponse.json({ enabled: true, enabled_at: null, recovery_codes_left: 9 }),
    ),
    http.get(url("/auth/sessions"), () => HttpResponse.json({ items: [] })),
    http.get(url("/auth/passkeys"), () => HttpResponse.json({ items: [], limit: 10, rp_id: "localhost" })),
    http.post(url("/auth/second-factor/recovery-codes"), () => HttpResponse.json({ recovery_codes: [CODE] })),
  ),
);

/** The form, and a button that gives the account another name, as another device would. */
function RenamedElsewhere() {
  const [user, setUser] = useState(currentUser());
  return (
    <CurrentUserProvider user={user}>
      <button onClick={() => setUser(currentUser({ username: "countess" }))}>Rename</button>
      <ProfileForm />
    </CurrentUserProvider>
  );
}

describe("the profile", () => {
  it("sends what was changed here, and not a name that is the account's no longer", async () => {
    let sent: unknown;
    server.use(
      http.patch(url("/auth/me"), async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(currentUser({ username: "countess", email: "ada@new.example" }));
      }),
    );
    renderApp(<RenamedElsewhere />);
    await userEvent.click(screen.getByRole("button", { name: "Rename" }));
    await userEvent.clear(screen.getByLabelText("Email"));
    await userEvent.type(screen.getByLabelText("Email"), "ada@new.example");
    await userEvent.type(await screen.findByLabelText("Current password"), "blue kettle on fire");
    await userEvent.type(await screen.findByLabelText("Code"), "123456");
    await userEvent.click(screen.getByRole("button", { name: "Save profile" }));
    await waitFor(() =>
      expect(sent).toEqual({
        email: "ada@new.example",
        current_password: "blue kettle on fire",
        code: "123456",
      }),
    );
  });
});

describe("the profile, before anything is sent", () => {
  const save = () => userEvent.click(screen.getByRole("button", { name: "Save profile" }));
  const retype = async (label: string, text: string) => {
    await userEvent.clear(screen.getByLabelText(label));
    await userEvent.type(screen.getByLabelText(label), text);
  };

  it("says how a username is written, in words", async () => {
    renderApp(<ProfileForm />);
    await retype("Username", "ada lovelace");
    await save();
    expect(
      await screen.findByText(/^Letters, digits, dots, dashes and underscores only/),
    ).toBeInTheDocument();
  });

  it("asks for the code that a new address needs, and takes any letters in it", async () => {
    const sent: unknown[] = [];
    server.use(
      http.patch(url("/auth/me"), async ({ request }) => {
        sent.push(await request.json());
        return sent.length === 1
          ? wrongPassword()
          : HttpResponse.json(currentUser({ email: "josé@example.com" }));
      }),
    );
    renderApp(<ProfileForm />);
    await retype("Email", "josé@example.com");
    await screen.findByLabelText("Code");
    await save();
    expect(await screen.findByText("A new address needs your password.")).toBeInTheDocument();
    expect(screen.getByText("Enter a code.")).toBeInTheDocument();
    expect(sent).toEqual([]);
    await retype("Current password", "blue kettle on fire");
    await retype("Code", "123456");
    await save();
    expect(await screen.findByText("This is not your current password.")).toBeInTheDocument();
    expect(screen.getByLabelText("Current password")).toBeInvalid();
    await retype("Current password", "green teapot in the rain");
    await save();
    expect(await screen.findByText("Your profile is saved")).toBeInTheDocument();
    expect(sent.at(-1)).toEqual({
      email: "josé@example.com",
      current_password: "green teapot in the rain",
      code: "123456",
    });
  });
});

describe("the tabs", () => {
  it("are walked back through", async () => {
    const ways: string[] = [];
    renderApp(<SettingsTabs />, { onUrl: ({ options }) => ways.push(options.history) });
    await userEvent.click(screen.getByRole("tab", { name: "Sessions" }));
    await waitFor(() => expect(ways).toEqual(["push"]));
  });

  it("keep recovery codes, which are shown once, while another is looked at", async () => {
    renderApp(<SettingsTabs />, { search: "?tab=security" });
    await userEvent.click(await screen.findByRole("button", { name: "New recovery codes" }));
    const form = await screen.findByRole("form", { name: "New recovery codes" });
    await userEvent.type(within(form).getByLabelText("Current password"), "blue kettle on fire");
    await userEvent.type(within(form).getByLabelText("Code"), "123456");
    await userEvent.click(screen.getByRole("button", { name: "Make new codes" }));
    expect(await screen.findByText(CODE)).toBeVisible();
    await userEvent.click(screen.getByRole("tab", { name: "Sessions" }));
    await userEvent.click(screen.getByRole("tab", { name: "Security" }));
    expect(await screen.findByText(CODE)).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "I have kept them" }));
    expect(screen.queryByText(CODE)).not.toBeInTheDocument();
  });
});

describe("recovery codes", () => {
  it("are not left by a link without a question", async () => {
    const followed = vi.fn((event: { preventDefault: () => void }) => event.preventDefault());
    const ask = vi.spyOn(window, "confirm").mockReturnValue(false);
    renderApp(
      <>
        <a href="#orders" onClick={followed}>
          Orders
        </a>
        <RecoveryCodes codes={[CODE]} onDone={() => undefined} />
      </>,
    );
    await userEvent.click(screen.getByRole("link", { name: "Orders" }));
    expect(ask).toHaveBeenCalledTimes(1);
    expect(followed).not.toHaveBeenCalled();
    ask.mockReturnValue(true);
    await userEvent.click(screen.getByRole("link", { name: "Orders" }));
    expect(followed).toHaveBeenCalledTimes(1);
  });
});
