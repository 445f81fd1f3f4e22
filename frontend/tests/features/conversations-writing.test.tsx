import { onlineManager } from "@tanstack/react-query";
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { Thread } from "@/features/conversations/components/thread";
import { arrivedOf } from "@/features/conversations/outgoing";

import { answerThread, bodies, pageOf } from "../support/conversations";
import { message } from "../support/fixtures";
import { renderApp } from "../support/render";
import { http, HttpResponse, problem, server, url } from "../support/server";

vi.mock("next/navigation", () => ({ useRouter: () => ({ push: vi.fn() }), useParams: () => ({}) }));

describe("what I have written", () => {
  const mine = (number: number, body: string) =>
    message(number, { body, author: { id: "u-1", username: "ada" } });
  const sent = (id: string, body: string, after = 2) => ({ id, body, after, error: null });

  it("has arrived once there is a later message of mine with these words, each counting once", () => {
    const outgoing = [sent("a", "ok"), sent("b", "ok"), sent("c", "hm")];
    const arrived = (messages: ReturnType<typeof message>[]) => [...arrivedOf(outgoing, messages, "u-1")];
    expect(arrived([mine(2, "ok"), message(3, { body: "ok" })])).toEqual([]);
    expect(arrived([mine(3, "ok")])).toEqual(["a"]);
    expect(arrived([mine(3, "ok"), mine(4, "hm"), mine(5, "ok")])).toEqual(["a", "b", "c"]);
    expect(arrivedOf([sent("a", "ok", Infinity)], [mine(3, "ok")], "u-1").size).toBe(0);
  });
});

describe("writing", () => {
  beforeEach(() => answerThread());

  const unsent = () => screen.queryAllByTestId("unsent").map((item) => item.querySelector("p")?.textContent);

  it("sends with Enter, shows it at once, and keeps what could not be sent to send it again", async () => {
    let fail = true;
    const posted: string[] = [];
    const keys: (string | null)[] = [];
    server.use(
      http.post(url("/conversations/c-1/messages"), async ({ request }) => {
        const { body } = (await request.json()) as { body: string };
        posted.push(body);
        keys.push(request.headers.get("Idempotency-Key"));
        return fail
          ? problem(503, "unavailable")
          : HttpResponse.json(message(posted.length + 5, { body, author: { id: "u-1", username: "ada" } }), {
              status: 201,
            });
      }),
    );
    renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    const field = await screen.findByLabelText("Message");
    await userEvent.type(field, "hello{Shift>}{Enter}{/Shift}there{Enter}");
    expect(field).toHaveValue("");
    expect(await screen.findByRole("alert")).toHaveTextContent("Not sent. It failed: unavailable");
    expect(unsent()).toEqual(["hello\nthere"]);
    fail = false;
    await userEvent.click(screen.getByRole("button", { name: "Send again" }));
    await waitFor(() => expect(unsent()).toEqual([]));
    expect(bodies().at(-1)).toBe("hello\nthere");
    expect(posted).toEqual(["hello\nthere", "hello\nthere"]);

    fail = true;
    await userEvent.type(field, "never mind{Enter}");
    await userEvent.click(await screen.findByRole("button", { name: "Discard" }));
    expect(keys[0]).toBeTruthy();
    expect(keys[1], "sent again it is the same message").toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
    expect(unsent()).toEqual([]);
  });

  it("loses nothing of what is too long, and says so instead of sending it", async () => {
    const posted: string[] = [];
    server.use(
      http.post(url("/conversations/c-1/messages"), async ({ request }) => {
        const { body } = (await request.json()) as { body: string };
        posted.push(body);
        return HttpResponse.json(message(9, { body, author: { id: "u-1", username: "ada" } }), {
          status: 201,
        });
      }),
    );
    renderApp(<Thread conversationId="c-1" />);
    const field = await screen.findByLabelText("Message");
    await userEvent.click(field);
    const long = "x".repeat(3_997) + "😀😀😀";
    await userEvent.paste(`${long}y`);
    expect(field).toHaveValue(`${long}y`);
    expect(screen.getByRole("alert")).toHaveTextContent("Too long for one message");
    expect(field).toHaveAccessibleDescription(/1 character too many\./);
    expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
    await userEvent.keyboard("{Enter}");
    expect(field).toHaveValue(`${long}y`);
    expect(posted).toEqual([]);
    await userEvent.keyboard("{Backspace}");
    expect(field).toHaveAccessibleDescription("0 characters left");
    await userEvent.keyboard("{Enter}");
    await waitFor(() => expect(posted).toEqual([long]));
    expect(field).not.toHaveAccessibleDescription();
  });

  it("leaves Enter to an input method, also where the browser says that it is done", async () => {
    renderApp(<Thread conversationId="c-1" />);
    const field = await screen.findByLabelText("Message");
    await userEvent.type(field, "にほ");
    fireEvent.keyDown(field, { key: "Enter", isComposing: true });
    fireEvent.keyDown(field, { key: "Enter", keyCode: 229 }); // Safari, after the end of the composition.
    expect(field).toHaveValue("にほ");
    expect(unsent()).toEqual([]);
    await userEvent.clear(field);
  });

  it("takes the next message while one is on its way, and sends them in turn", async () => {
    const posted: string[] = [];
    const answers: (() => void)[] = [];
    server.use(
      http.post(url("/conversations/c-1/messages"), async ({ request }) => {
        const { body } = (await request.json()) as { body: string };
        posted.push(body);
        await new Promise<void>((resolve) => answers.push(resolve));
        const author = { id: "u-1", username: "ada" };
        return HttpResponse.json(message(posted.length + 2, { body, author }), { status: 201 });
      }),
    );
    renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    const field = screen.getByLabelText("Message");
    await userEvent.type(field, "one{Enter}two{Enter}");
    expect(unsent()).toEqual(["one", "two"]);
    await waitFor(() => expect(posted).toEqual(["one"]));
    answers[0]?.();
    await waitFor(() => expect(posted).toEqual(["one", "two"]));
    answers[1]?.();
    await waitFor(() => expect(bodies()).toEqual(["message 2", "one", "two"]));
    expect(unsent()).toEqual([]);
  });

  it("waits for the network, says so, and is sent once it is there", async () => {
    server.use(
      http.post(url("/conversations/c-1/messages"), async ({ request }) => {
        const { body } = (await request.json()) as { body: string };
        return HttpResponse.json(message(3, { body, author: { id: "u-1", username: "ada" } }), {
          status: 201,
        });
      }),
    );
    renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    act(() => onlineManager.setOnline(false));
    try {
      await userEvent.type(screen.getByLabelText("Message"), "hello{Enter}");
      expect(screen.getByTestId("unsent")).toHaveTextContent("You are offline");
    } finally {
      act(() => onlineManager.setOnline(true));
    }
    await waitFor(() => expect(bodies()).toEqual(["message 2", "hello"]));
  });

  it("knows its own message when it arrives on the channel although the answer was lost", async () => {
    server.use(http.post(url("/conversations/c-1/messages"), () => HttpResponse.error()));
    const { client } = renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    await userEvent.type(screen.getByLabelText("Message"), "hello{Enter}");
    expect(await screen.findByText(/Not sent/)).toBeInTheDocument();
    const mine = message(3, { body: "hello", author: { id: "u-1", username: "ada" } });
    act(
      () =>
        void client
          .subscription("conversation:c-1")
          .emit("publication", { data: { type: "message", message: mine } }),
    );
    await waitFor(() => expect(unsent()).toEqual([]));
    expect(bodies()).toEqual(["message 2", "hello"]);
  });

  it("keeps a draft while one looks at another conversation, and while the server cannot answer", async () => {
    const first = renderApp(<Thread conversationId="c-1" />);
    await screen.findByText("message 2");
    await userEvent.type(screen.getByLabelText("Message"), "half a thou");
    server.use(
      http.get(url("/conversations/c-1"), () => problem(503, "unavailable")),
      http.get(url("/conversations/c-1/messages"), () => problem(503, "unavailable")),
    );
    await act(async () => first.queryClient.invalidateQueries());
    expect((await screen.findAllByRole("alert")).length).toBeGreaterThan(0);
    expect(screen.getByText("message 2")).toBeInTheDocument();
    expect(screen.getByLabelText("Message")).toHaveValue("half a thou");
    first.view.unmount();

    server.resetHandlers();
    answerThread();
    renderApp(<Thread conversationId="c-1" />);
    expect(await screen.findByLabelText("Message")).toHaveValue("half a thou");
    await userEvent.clear(screen.getByLabelText("Message"));
  });

  it("keeps the history when older messages cannot be loaded", async () => {
    let fail = true;
    server.use(
      http.get(url("/conversations/c-1/messages"), ({ request }) => {
        if (!new URL(request.url).searchParams.get("cursor"))
          return HttpResponse.json(pageOf([message(2)], "older"));
        return fail ? problem(503, "unavailable") : HttpResponse.json(pageOf([message(1)]));
      }),
    );
    renderApp(<Thread conversationId="c-1" />);
    await userEvent.click(await screen.findByRole("button", { name: "Older messages" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("Older messages could not be loaded.");
    expect(bodies()).toEqual(["message 2"]);
    fail = false;
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(bodies()).toEqual(["message 1", "message 2"]));
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  });
});
