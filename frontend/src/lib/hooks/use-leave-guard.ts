"use client";

import { useEffect } from "react";

/** Kept in the browser's history: the page with the guard, and a copy above it, on which Back is pressed first. */
const MARK = "leaveGuard";
type Mark = "page" | "copy";

let guards = 0;
/** Whether a step back to the page is on its way: a second one would leave it. */
let leaving = false;

/**
 * Asks before a link, Back or the browser leads away from something that cannot be had again.
 *
 * A step back cannot be forbidden, only undone, and the router would have left by then. So the page is put into the
 * history twice: Back arrives at the same page, and whoever means it is taken one further.
 */
export function useLeaveGuard(question: string): void {
  useEffect(() => {
    let returning = false;
    const onUnload = (event: BeforeUnloadEvent) => event.preventDefault();
    const onClick = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
      if (!link || link.hasAttribute("download") || window.confirm(question)) return;
      event.preventDefault();
      event.stopPropagation();
    };
    const onPopState = (event: PopStateEvent) => {
      if (!returning && markOf(event.state) !== "page") return;
      event.stopImmediatePropagation(); // The router has been nowhere else.
      if (returning) {
        returning = false;
      } else if (window.confirm(question)) {
        forget();
        window.history.back();
      } else {
        returning = true;
        window.history.forward();
      }
    };
    const forget = () => {
      window.removeEventListener("beforeunload", onUnload);
      window.removeEventListener("popstate", onPopState, { capture: true });
    };
    guards += 1;
    enter();
    window.addEventListener("beforeunload", onUnload);
    window.addEventListener("popstate", onPopState, { capture: true }); // Before the router hears of it.
    document.addEventListener("click", onClick, { capture: true });
    return () => {
      guards -= 1;
      forget();
      document.removeEventListener("click", onClick, { capture: true });
      // Later: React in development mounts everything twice, and a step back cannot be taken back.
      setTimeout(leave);
    };
  }, [question]);
}

function markOf(state: unknown): Mark | undefined {
  return (state as { [MARK]?: Mark } | null)?.[MARK];
}

function enter(): void {
  const { history } = window;
  if (markOf(history.state) === "copy") return;
  history.replaceState({ ...history.state, [MARK]: "page" satisfies Mark }, "");
  history.pushState({ ...history.state, [MARK]: "copy" satisfies Mark }, "");
}

/** Takes the copy away again, unless one has gone on from it. */
function leave(): void {
  if (leaving || guards > 0 || markOf(window.history.state) !== "copy") return;
  const onArrival = (event: PopStateEvent) => {
    leaving = false;
    if (guards === 0) return;
    event.stopImmediatePropagation(); // Another guard began on the way: nobody has pressed Back.
    enter();
  };
  window.addEventListener("popstate", onArrival, { capture: true, once: true });
  leaving = true;
  window.history.back();
}
