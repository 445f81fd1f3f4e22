import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ConversationList } from "@/features/conversations/components/conversation-list";
import { Thread } from "@/features/conversations/components/thread";

import { answerThread, bodies, conversation, pageOf } from "../support/conversations";
import { message, page } from "../support/fixtures";
import { renderApp } from "../support/render";
import { pretendToScroll } from "../support/seen";
import { http, HttpResponse, problem, server, url } from "../support/server";

vi.mock("next/navigation", () => ({ useRouter: () => ({ push: vi.fn() }), useParams: () => ({}) }));

const inert = globalThis.IntersectionObserver;
afterEach(() => void vi.stubGlobal("IntersectionObserver", inert));

describe("older messages", () => {
  beforeEach(() => answerThread());

  it("are asked for after what may have been missed, and lose none of that", async () => {
    const scrolling = pretendToScroll();
    let release: () => void = () => undefined;
    const asked: (string | null)[] = [];
    server.use(
      http.get(url("/conversations/c-1/messages"), async ({ request }) => {
        const cursor = new URL(request.url).searchParams.get("cursor");
        asked.push(cursor);
        if (cursor) return HttpResponse.json(pageOf([message(1)]));
        if (asked.length === 1) return HttpResponse.json(pageOf([message(2)], "older"));
        await new Promise<void>((resolve) => (release = resolve));
        return HttpResponse.json(pageOf([message(3), message(2)], "older"));
      }),
    );
    const { client } = renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
    act(() => void client.subscription("conversation:c-1").emit("subscribed", { recovered: false }));
    await waitFor(() => expect(asked).toEqual([null, null]));
    scrolling.see();
    await userEvent.click(screen.getByRole("button", { name: "Older messages" }));
    expect(asked).toEqual([null, null]);
    release();
    expect(await screen.findByText("message 3")).toBeInTheDocument();
    scrolling.see();
    await waitFor(() => expect(bodies()).toEqual(["message 1", "message 2", "message 3"]));
    expect(asked).toEqual([null, null, "older"]);
  });

  it("are watched for once, whatever is said meanwhile", async () => {
    const scrolling = pretendToScroll();
    const { client, queryClient } = renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    await waitFor(() => expect(client.subscriptions.has("conversation:c-1")).toBe(true));
    await waitFor(() => expect(queryClient.isFetching()).toBe(0));
    const made = scrolling.made();
    expect(made).toBeGreaterThan(0);
    for (const number of [3, 4])
      act(
        () =>
          void client
            .subscription("conversation:c-1")
            .emit("publication", { data: { type: "message", message: message(number) } }),
      );
    expect(await screen.findByText("message 4")).toBeInTheDocument();
    expect(scrolling.made()).toBe(made);
  });
});

describe("older conversations", () => {
  const named = (...titles: string[]) => titles.map((title) => conversation({ id: `c-${title}`, title }));
  const titles = () =>
    within(screen.getByRole("region", { name: "Conversations" }))
      .getAllByRole("link")
      .map((link) => link.querySelector(".font-medium")?.textContent);

  it("can be opened, and those that are open follow what is written", async () => {
    let pages = { newest: named("Tea", "Coffee"), older: named("Coffee", "Milk") };
    server.use(
      http.get(url("/conversations"), ({ request }) =>
        HttpResponse.json(
          new URL(request.url).searchParams.get("cursor") === "older"
            ? page(pages.older)
            : { ...page(pages.newest), next: "older" },
        ),
      ),
    );
    const { queryClient } = renderApp(<ConversationList />);
    await waitFor(() => expect(titles()).toEqual(["Tea", "Coffee"]));
    await userEvent.click(screen.getByRole("button", { name: "Older conversations" }));
    await waitFor(() => expect(titles()).toEqual(["Tea", "Coffee", "Milk"]));
    expect(screen.queryByRole("button", { name: "Older conversations" })).toBeNull();
    pages = { newest: named("Milk", "Tea"), older: named("Coffee") };
    act(() => void queryClient.invalidateQueries({ queryKey: ["conversations", "list"] }));
    await waitFor(() => expect(titles()).toEqual(["Milk", "Tea", "Coffee"]));
  });

  it("leave the newer ones where they are when they cannot be loaded", async () => {
    let broken = true;
    server.use(
      http.get(url("/conversations"), ({ request }) => {
        if (new URL(request.url).searchParams.get("cursor") !== "older")
          return HttpResponse.json({ ...page(named("Tea")), next: "older" });
        return broken ? problem(500, "internal") : HttpResponse.json(page(named("Milk")));
      }),
    );
    renderApp(<ConversationList />);
    await userEvent.click(await screen.findByRole("button", { name: "Older conversations" }));
    expect(await screen.findByText("Older conversations could not be loaded.")).toBeInTheDocument();
    expect(titles()).toEqual(["Tea"]);
    broken = false;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(titles()).toEqual(["Tea", "Milk"]));
  });
});

describe("the way back to all conversations", () => {
  it.each([
    ["one that fails", () => problem(404, "conversation_not_found")],
    ["one that is to be joined", () => HttpResponse.json(conversation({ is_member: false }))],
    ["one's own", () => HttpResponse.json(conversation())],
  ])("is there in %s", async (_, answer) => {
    answerThread();
    server.use(http.get(url("/conversations/c-1"), answer));
    renderApp(<Thread conversationId="c-1" />);
    await waitFor(() => expect(screen.queryAllByRole("heading", { level: 2 })).not.toHaveLength(0));
    expect(screen.getByRole("link", { name: "All conversations" })).toHaveAttribute("href", "/conversations");
  });
});
