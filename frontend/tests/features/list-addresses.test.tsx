import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactElement } from "react";
import { describe, expect, it, vi } from "vitest";

import { ChangeList } from "@/features/audit/components/change-list";
import { EntryList } from "@/features/audit/components/entry-list";
import { PeoplePicker } from "@/features/conversations/components/people-picker";
import { ExportList } from "@/features/exports/components/export-list";
import { JobList } from "@/features/jobs/components/job-list";
import { NotificationPages } from "@/features/notifications/components/notification-pages";
import { OrderDesk } from "@/features/orders/components/order-desk";
import { OrderList } from "@/features/orders/components/order-list";
import { PeopleList } from "@/features/people/components/people-list";
import { Catalogue } from "@/features/products/components/catalogue";
import { CatalogueFilters } from "@/features/products/components/catalogue-filters";
import { ConnectionList } from "@/features/realtime_inspection/components/connection-list";
import { EndingList } from "@/features/realtime_inspection/components/ending-list";

import openapi from "../../../openapi.json";
import { page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, refused, server, url } from "../support/server";

vi.mock("next/navigation", () => ({ useRouter: () => ({ push: vi.fn() }) }));

const nothing = () => HttpResponse.json({ ...page([]), silent: [], next: null, prev: null });
const ignore = () => undefined;

interface Parameter {
  name: string;
  schema?: { maxLength?: number; anyOf?: { maxLength?: number }[] };
}

/** How long the API lets a search be. */
function limitOf(path: string, name: string): number | undefined {
  const paths = openapi.paths as Partial<Record<string, { get?: { parameters?: readonly Parameter[] } }>>;
  const found = paths[`/api/v1${path}`]?.get?.parameters?.find((parameter) => parameter.name === name);
  return found?.schema?.maxLength ?? found?.schema?.anyOf?.find(({ maxLength }) => maxLength)?.maxLength;
}

describe("what is searched for", () => {
  it.each<[string, string, string, ReactElement]>([
    ["Search products", "/products", "q", <CatalogueFilters key="" />],
    ["Name or address", "/users", "q", <PeopleList key="" />],
    ["Order number", "/orders", "number", <OrderDesk key="" />],
    ["Kind", "/jobs", "kind", <JobList key="" />],
    ["Action", "/audit/entries", "action", <EntryList key="" onAccount={ignore} />],
    ["By", "/users", "q", <EntryList key="" onAccount={ignore} />],
    ["Subject", "/audit/entries", "subject_id", <EntryList key="" onAccount={ignore} />],
    ["Account", "/users", "q", <ChangeList key="" />],
    ["Connections of", "/realtime/connections", "user", <ConnectionList key="" onOpen={ignore} />],
    ["Endings of", "/realtime/endings", "user", <EndingList key="" onOpen={ignore} />],
    ["People", "/directory", "q", <PeoplePicker key="" selected={[]} onChange={ignore} />],
  ])("is no longer than the API takes: %s", async (label, path, name, list) => {
    server.use(http.get("*", nothing));
    renderApp(list);
    const limit = limitOf(path, name);
    expect(limit).toBeGreaterThan(0);
    expect(await screen.findByLabelText(label)).toHaveAttribute("maxlength", String(limit));
  });
});

describe("a page that the API gives nobody", () => {
  it.each<[string, string, string, ReactElement]>([
    ["products", "/products", "page", <Catalogue key="" />],
    ["people", "/users", "page", <PeopleList key="" />],
    ["orders", "/orders", "page", <OrderList key="" />],
    ["everybody's orders", "/orders", "page", <OrderDesk key="" />],
    ["jobs", "/jobs", "page", <JobList key="" />],
    ["exports", "/exports", "page", <ExportList key="" />],
    ["notifications", "/notifications", "cursor", <NotificationPages key="" />],
    ["acts", "/audit/entries", "cursor", <EntryList key="" onAccount={ignore} />],
  ])("is called so, and the first is offered: %s", async (_, path, parameter, list) => {
    server.use(
      http.get(url(path), ({ request }) => {
        const asked = new URL(request.url).searchParams.get(parameter);
        return asked === "1001"
          ? refused(422, "validation_failed", `#/query/${parameter}`, "This has to be 1000 or less.")
          : nothing();
      }),
      http.get("*", nothing),
    );
    renderApp(list, { search: `?${parameter}=1001` });
    expect(await screen.findByText("There is no such page")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Back to the first page" }));
    await waitFor(() => expect(screen.queryByText("There is no such page")).not.toBeInTheDocument());
  });
});
