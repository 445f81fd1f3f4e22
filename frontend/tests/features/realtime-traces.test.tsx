import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { InspectionTabs } from "@/features/realtime_inspection/components/inspection-tabs";
import { labelOf, nameOf, summaryOf } from "@/features/realtime_inspection/summary";
import type { RealtimeTrace } from "@/lib/api/types";

import { operator, trace } from "../support/inspection";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

describe("traces", () => {
  it("begin with a form, arrive line by line, once each, and stop", async () => {
    let under: RealtimeTrace[] = [];
    const orders: unknown[] = [];
    server.use(
      http.get(url("/realtime/traces"), () => HttpResponse.json({ items: under, silent: [] })),
      http.get(url("/directory"), () => HttpResponse.json({ items: [{ id: "u-2", username: "grace" }] })),
      http.post(url("/realtime/traces"), async ({ request }) => {
        orders.push(await request.json());
        under = [trace()];
        return HttpResponse.json(under[0], { status: 201 });
      }),
      http.delete(url("/realtime/traces/t-1"), () => {
        under = [];
        return new HttpResponse(null, { status: 204 });
      }),
    );
    const { client } = renderApp(<InspectionTabs />, { user: operator, search: "?tab=traces" });
    expect(await screen.findByText("Nothing is traced")).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText("Called"), "grace");
    await userEvent.click(screen.getByRole("button", { name: "Start trace" }));
    await waitFor(() => expect(orders).toEqual([{ user: "u-2", seconds: 60, frames: 1_000 }]));
    expect(await screen.findByText(/Waiting for something/)).toBeInTheDocument();
    expect(client.subscription("trace:t-1").options).toEqual({ since: { offset: 0, epoch: "" } });

    const say = (offset: number, data: unknown) =>
      act(() => void client.subscription("trace:t-1").emit("publication", { data, offset }));
    const event = {
      at: 1_000,
      kind: "in",
      client: "c-1",
      user: "u-2",
      frame: { id: 3, publish: { channel: "room:1" } },
    };
    say(1, { type: "start" });
    say(2, { type: "events", node: "hub-1", dropped: 4, events: [event, { ...event, frame: {} }] });
    say(2, { type: "events", node: "hub-1", dropped: 0, events: [event] });
    expect(await screen.findAllByTestId("trace-line")).toHaveLength(2);
    expect(screen.getByText("publish room:1")).toBeInTheDocument();
    expect(screen.getByText("ping or pong")).toBeInTheDocument();
    expect(screen.getByText(/4 events came faster/)).toBeInTheDocument();

    await userEvent.click(screen.getByRole("button", { name: "Stop trace" }));
    say(3, { type: "end", node: "hub-1", reason: "stopped" });
    await waitFor(() => expect(screen.getByTestId("trace-state")).toHaveAttribute("data-state", "ended"));
    expect(screen.getByText("It was stopped.")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Close" }));
    expect(screen.queryByTestId("trace-state")).not.toBeInTheDocument();
  });

  it("say why they do not begin, and can be joined by others", async () => {
    server.use(
      http.get(url("/realtime/traces"), () =>
        HttpResponse.json({ items: [trace({ user: null, channel: "room:1" })], silent: [] }),
      ),
      http.post(url("/realtime/traces"), () => problem(409, "too_many_traces")),
    );
    renderApp(<InspectionTabs />, { user: operator, search: "?tab=traces" });
    expect(await screen.findByText("room:1")).toBeInTheDocument();
    await userEvent.type(screen.getByLabelText("Called"), "00000000-0000-0000-0000-000000000001");
    await userEvent.click(screen.getByRole("button", { name: "Start trace" }));
    expect(await screen.findByText("It failed: too_many_traces")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Read along" }));
    expect(await screen.findByText("Shown above")).toBeInTheDocument();
  });

  it("are put into words", () => {
    const words = (kind: string, frame?: unknown) =>
      summaryOf({ at: 0, kind, channel: "room:1", client: "c-1", frame });
    expect(words("in", { id: 1, connect: { token: "[redacted]" } })).toBe("connect");
    expect(words("out", { push: { channel: "room:1", pub: {} } })).toBe("publication in room:1");
    expect(words("out", { push: { id: 3, pub: {} } })).toBe("publication in room:1");
    expect(summaryOf({ at: 0, kind: "out", frame: { push: { message: {} } } })).toBe("message");
    expect(words("out", { id: 1, error: { code: 103, message: "permission denied" } })).toBe(
      "error 103 permission denied",
    );
    expect(words("out", "cut")).toBe("");
    expect(words("closed", { code: 3503, reason: "force disconnect" })).toBe("3503 force disconnect");
    expect(words("closed", { code: 0, reason: "" })).toBe("transport lost");
    expect(words("join")).toBe("room:1 · c-1");
    expect(summaryOf({ at: 0, kind: "publication", channel: "room:1", offset: 4 })).toBe("room:1 · offset 4");
    expect(labelOf({ at: 0, kind: "join" })).toBe("Joined");
    expect(labelOf({ at: 0, kind: "new in a later version" })).toBe("new in a later version");
    expect([nameOf({ name: "ada" }), nameOf({}), nameOf(null)]).toEqual(["ada", null, null]);
  });
});
