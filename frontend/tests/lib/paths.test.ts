import { describe, expect, it } from "vitest";

import { isPrivate, loginPath, safeNext } from "@/lib/paths";

describe("safeNext", () => {
  it.each(["/orders", "/orders?page=2#top", "/conversations/0190"])("follows %s", (path) => {
    expect(safeNext(path)).toBe(path);
  });

  it.each([
    null,
    undefined,
    "",
    "orders",
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example/",
    "javascript:alert(1)",
    "//[",
  ])("goes home instead of to %j", (path) => {
    expect(safeNext(path)).toBe("/dashboard");
  });
});

describe("isPrivate", () => {
  it("is about whole path segments", () => {
    expect(isPrivate("/orders")).toBe(true);
    expect(isPrivate("/orders/1")).toBe(true);
    expect(isPrivate("/ordersomething")).toBe(false);
    expect(isPrivate("/")).toBe(false);
    expect(loginPath("/orders?page=2")).toBe("/login?next=%2Forders%3Fpage%3D2");
  });
});
