import { act } from "@testing-library/react";
import { vi } from "vitest";

/** Observers of what is in view, of which a test says when it is: `made` counts them. */
export function pretendToScroll() {
  const watching = new Map<object, IntersectionObserverCallback>();
  let made = 0;
  class Observer {
    constructor(private readonly tell: IntersectionObserverCallback) {
      made += 1;
    }
    observe() {
      watching.set(this, this.tell);
    }
    unobserve() {}
    disconnect() {
      watching.delete(this);
    }
    takeRecords() {
      return [];
    }
  }
  vi.stubGlobal("IntersectionObserver", Observer);
  return {
    made: () => made,
    /** What is watched comes into view; nothing is told where nothing is watched. */
    see: () =>
      act(() => {
        for (const tell of [...watching.values()])
          tell([{ isIntersecting: true } as IntersectionObserverEntry], {} as IntersectionObserver);
      }),
  };
}
