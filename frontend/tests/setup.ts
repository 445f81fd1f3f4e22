import "@testing-library/jest-dom/vitest";

import { cleanup, configure } from "@testing-library/react";
import { afterAll, afterEach, beforeAll, vi } from "vitest";

import { server } from "./support/server";

/** Tests of what runs on the server have neither a page nor a pretended network. */
const browser = typeof window !== "undefined";

// jsdom lays nothing out; components that observe layout get observers that never fire.
class InertObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
  takeRecords() {
    return [];
  }
}

if (browser) {
  configure({ asyncUtilTimeout: 5_000 });
  vi.stubGlobal("ResizeObserver", InertObserver);
  vi.stubGlobal("IntersectionObserver", InertObserver);
  Element.prototype.scrollIntoView ??= () => undefined;
  Element.prototype.getAnimations ??= () => [];

  beforeAll(() => server.listen({ onUnhandledRequest: "error" }));
  afterEach(() => {
    cleanup();
    server.resetHandlers();
    localStorage.clear();
  });
  afterAll(() => server.close());
}
