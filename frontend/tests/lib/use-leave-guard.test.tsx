import { render, waitFor } from "@testing-library/react";
import { StrictMode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { useLeaveGuard } from "@/lib/hooks/use-leave-guard";

function Guarded() {
  useLeaveGuard("Leave?");
  return null;
}

/** What the router would hear of. */
const heard = vi.fn();
const confirm = vi.fn<(question?: string) => boolean>();
const guarded = () =>
  render(
    <StrictMode>
      <Guarded />
    </StrictMode>,
  );

beforeEach(() => {
  heard.mockReset();
  confirm.mockReset();
  vi.stubGlobal("confirm", confirm);
  window.history.pushState({ at: "before" }, "", "/before");
  window.history.pushState({ at: "here" }, "", "/here");
  window.addEventListener("popstate", heard);
});

afterEach(() => {
  window.removeEventListener("popstate", heard);
  vi.unstubAllGlobals();
});

describe("a page that is guarded", () => {
  it("stays when Back is pressed and leaving is not meant, however often", async () => {
    const view = guarded();
    confirm.mockReturnValue(false);
    for (const times of [1, 2]) {
      window.history.back();
      await waitFor(() => expect(confirm).toHaveBeenCalledTimes(times));
      await waitFor(() => expect(window.history.state).toMatchObject({ at: "here", leaveGuard: "copy" }));
    }
    expect(window.location.pathname).toBe("/here");
    expect(heard).not.toHaveBeenCalled();
    view.unmount();
    await waitFor(() => expect(heard).toHaveBeenCalled());
  });

  it("is left by Back when that is meant, without being asked again", async () => {
    const view = guarded();
    confirm.mockReturnValue(true);
    window.history.back();
    await waitFor(() => expect(window.location.pathname).toBe("/before"));
    expect(confirm).toHaveBeenCalledExactlyOnceWith("Leave?");
    await waitFor(() => expect(heard).toHaveBeenCalledOnce());
    view.unmount();
  });

  it("is in the history once again when there is nothing to guard any more", async () => {
    const view = guarded();
    expect(window.history.state).toMatchObject({ leaveGuard: "copy" });
    view.unmount();
    await waitFor(() => expect(window.history.state).toMatchObject({ at: "here", leaveGuard: "page" }));
    window.history.back();
    await waitFor(() => expect(window.location.pathname).toBe("/before"));
    expect(confirm).not.toHaveBeenCalled();
  });

  it("is guarded anew while the last guard still ends, without a question", async () => {
    const back = vi.spyOn(window.history, "back");
    guarded().unmount();
    await waitFor(() => expect(back).toHaveBeenCalledOnce());
    back.mockRestore();
    const view = guarded();
    await waitFor(() => expect(window.history.state).toMatchObject({ leaveGuard: "copy" }));
    expect(confirm).not.toHaveBeenCalled();
    confirm.mockReturnValue(false);
    window.history.back();
    await waitFor(() => expect(confirm).toHaveBeenCalledOnce());
    view.unmount();
    await waitFor(() => expect(window.history.state).toMatchObject({ leaveGuard: "page" }));
  });

  it("lets what was opened from it close by Back", async () => {
    const view = guarded();
    window.history.pushState({ at: "tab" }, "", "/here?tab=2");
    window.history.back();
    await waitFor(() => expect(window.history.state).toMatchObject({ leaveGuard: "copy" }));
    expect(confirm).not.toHaveBeenCalled();
    expect(heard).toHaveBeenCalledOnce();
    view.unmount();
    await waitFor(() => expect(window.history.state).toMatchObject({ leaveGuard: "page" }));
  });
});
