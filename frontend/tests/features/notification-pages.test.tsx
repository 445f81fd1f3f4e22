import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";

import { NotificationBell } from "@/features/notifications/components/notification-bell";
import { NotificationPages } from "@/features/notifications/components/notification-pages";
import type { Notification } from "@/lib/api/types";

import { notices, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

const notification = (part: Partial<Notification> = {}): Notification => ({
  id: "n-1",
  kind: "note",
  title: "Order M-1 is on its way",
  body: "",
  data: {},
  read_at: null,
  created_at: "2026-11-22T12:00:00Z",
  _links: {},
  ...part,
});

let items: Notification[];
let asked: Record<string, string>[];

beforeEach(() => {
  items = [notification()];
  asked = [];
  server.use(
    http.get(url("/notifications"), ({ request }) => {
      const query = Object.fromEntries(new URL(request.url).searchParams);
      if (!("cursor" in query)) return HttpResponse.json(notices(items)); // The bell's.
      asked.push(query);
      if (query.cursor === "forged") return problem(422, "invalid_cursor");
      const shown = query.unread === "true" ? items.filter(({ read_at }) => read_at === null) : items;
      return HttpResponse.json({ ...page(shown), next: query.cursor ? null : "older" });
    }),
    http.post(url("/notifications/read"), () => {
      items = items.map((item) => ({ ...item, read_at: item.created_at }));
      return new HttpResponse(null, { status: 204 });
    }),
  );
});

describe("the page of notifications", () => {
  it("is turned over, and narrowed to what is unread", async () => {
    renderApp(<NotificationPages />);
    await userEvent.click(await screen.findByRole("button", { name: "Older" }));
    await waitFor(() => expect(asked.at(-1)).toMatchObject({ cursor: "older", unread: "false" }));
    await userEvent.click(screen.getByRole("button", { name: "Unread only" }));
    await waitFor(() => expect(asked.at(-1)).toMatchObject({ cursor: "", unread: "true" }));
  });

  it("marks all as read, also those of the bell", async () => {
    renderApp(
      <>
        <NotificationBell />
        <NotificationPages />
      </>,
      { search: "?unread=true" },
    );
    expect(await screen.findByRole("button", { name: "Notifications, 1 unread" })).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Mark all as read" }));
    expect(await screen.findByText("You have read everything")).toBeInTheDocument();
    expect(await screen.findByRole("button", { name: "Notifications" })).toBeInTheDocument();
  });

  it("shows what arrives", async () => {
    const { client } = renderApp(
      <>
        <NotificationBell />
        <NotificationPages />
      </>,
    );
    expect(await screen.findByText("Order M-1 is on its way")).toBeInTheDocument();
    const added = notification({ id: "n-2", title: "Your export is ready" });
    items = [added, ...items];
    act(
      () =>
        void client.emit("publication", {
          channel: "user:#u-1",
          data: { type: "notification", notification: added },
        }),
    );
    expect(await screen.findByRole("button", { name: /Unread: Your export is ready/ })).toBeInTheDocument();
  });

  it("says what failed, and leads back from a page that there is not", async () => {
    renderApp(<NotificationPages />, { search: "?cursor=forged" });
    await userEvent.click(await screen.findByRole("button", { name: "Back to the first page" }));
    expect(await screen.findByText("Order M-1 is on its way")).toBeInTheDocument();
    server.use(http.post(url("/notifications/read"), () => problem(503, "unavailable")));
    await userEvent.click(screen.getByRole("button", { name: "Mark all as read" }));
    expect(await screen.findAllByText("They were not marked as read")).not.toHaveLength(0);
  });
});
