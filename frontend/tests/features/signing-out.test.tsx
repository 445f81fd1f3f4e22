import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";

import { useLogout } from "@/features/auth/api/session";

import { renderApp } from "../support/render";
import { http, HttpResponse, server, url } from "../support/server";

function SignOut() {
  const logout = useLogout();
  return <button onClick={() => logout.mutate(false)}>Sign out</button>;
}

it("leaves nothing behind but how the page looks and the cart, which is its owner's only", async () => {
  server.use(http.post(url("/auth/logout"), () => new HttpResponse(null, { status: 204 })));
  localStorage.setItem("theme", "dark");
  localStorage.setItem("mobula-cart", "{}");
  localStorage.setItem("what-somebody-read", "secret");
  sessionStorage.setItem("what-somebody-wrote", "secret");
  renderApp(<SignOut />);
  await userEvent.click(screen.getByRole("button", { name: "Sign out" }));
  await waitFor(() => expect(localStorage.getItem("what-somebody-read")).toBeNull());
  expect(sessionStorage).toHaveLength(0);
  expect(Object.keys(localStorage).sort()).toEqual(["mobula-cart", "theme"]);
});
