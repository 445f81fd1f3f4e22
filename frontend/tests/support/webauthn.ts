import { vi } from "vitest";

/** What the browser of a test can do, and what whoever sits before it does. Reset it before each test. */
export const browser = {
  supported: true,
  autofill: false,
  create: vi.fn(),
  get: vi.fn(),
  signal: vi.fn(),
};

export function resetBrowser() {
  Object.assign(browser, { supported: true, autofill: false });
  browser.create.mockReset().mockResolvedValue({ id: "key-1", rawId: "key-1", type: "public-key" });
  browser.get.mockReset().mockResolvedValue({ id: "key-1", rawId: "key-1", type: "public-key" });
  browser.signal.mockReset().mockResolvedValue(undefined);
}

/** For `vi.mock("@simplewebauthn/browser", …)`: all of it but what reaches for the browser. */
export async function fakeWebAuthn(original: () => Promise<object>) {
  return {
    ...(await original()),
    browserSupportsWebAuthn: () => browser.supported,
    browserSupportsWebAuthnAutofill: async () => browser.autofill,
    startRegistration: browser.create,
    startAuthentication: browser.get,
    sendSignal: browser.signal,
  };
}
