import { describe, expect, it, vi } from "vitest";

import { applyFieldErrors } from "@/lib/api/form-errors";
import { ApiError } from "@/lib/api/problem";
import { shouldRetry } from "@/lib/api/query-client";
import { can } from "@/lib/current-user";
import { forgetSession, rememberSession } from "@/lib/session-hint";
import { browserStorage } from "@/lib/storage";

import { currentUser } from "../support/fixtures";

const refusal = (status: number, errors?: { pointer: string; code: string; message: string }[]) =>
  new ApiError(new Response(null, { status }), { errors });

describe("shouldRetry", () => {
  it("repeats what was not answered, a few times, and never what was refused", () => {
    expect(shouldRetry(0, refusal(503))).toBe(true);
    expect(shouldRetry(0, new TypeError("down"))).toBe(true);
    expect(shouldRetry(2, new TypeError("down"))).toBe(false);
    expect(shouldRetry(0, refusal(404))).toBe(false);
  });
});

describe("applyFieldErrors", () => {
  const error = refusal(422, [{ pointer: "#/body/email", code: "taken", message: "Taken." }]);

  it("puts complaints beside their fields", () => {
    const setError = vi.fn();
    expect(applyFieldErrors<{ email: string }>(error, ["email"], setError)).toBeNull();
    expect(setError).toHaveBeenCalledWith("email", { type: "server", message: "Taken." });
  });

  it("leaves the error for the form when a field is not there, or none is named", () => {
    expect(applyFieldErrors<{ name: string }>(error, ["name"], vi.fn())).toBe(error);
    const other = new Error("x");
    expect(applyFieldErrors<{ name: string }>(other, ["name"], vi.fn())).toBe(other);
  });
});

describe("can", () => {
  it("looks for the permission itself or everything of its slice", () => {
    expect(can(currentUser({ permissions: ["jobs:read"] }), "jobs:read")).toBe(true);
    expect(can(currentUser({ permissions: ["jobs:*"] }), "jobs:manage")).toBe(true);
    expect(can(currentUser({ permissions: ["orders:read"] }), "jobs:read")).toBe(false);
  });
});

describe("the session hint", () => {
  it("comes and goes, and holds no secret", () => {
    rememberSession();
    expect(document.cookie).toContain("mobula_signed_in=1");
    forgetSession();
    expect(document.cookie).not.toContain("mobula_signed_in");
  });
});

describe("browserStorage", () => {
  it("remembers", () => {
    browserStorage.setItem("k", "v");
    expect(browserStorage.getItem("k")).toBe("v");
    browserStorage.removeItem("k");
    expect(browserStorage.getItem("k")).toBeNull();
  });

  it("goes without when the browser forbids it", () => {
    vi.spyOn(Storage.prototype, "getItem").mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
    expect(browserStorage.getItem("k")).toBeNull();
  });
});
