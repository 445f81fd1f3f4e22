// @vitest-environment node
import { describe, expect, it } from "vitest";

import config from "../../next.config";

const sent = async (path: string) =>
  Object.fromEntries(
    ((await config.headers?.()) ?? [])
      .filter(({ source }) => new RegExp(`^${source.replace(":path*", ".*")}$`).test(path))
      .flatMap(({ headers }) => headers.map(({ key, value }) => [key, value])),
  );

describe("security headers", () => {
  it("forbid guessing the type of every file that is ours", async () => {
    expect(await sent("/dashboard")).toMatchObject({
      "X-Content-Type-Options": "nosniff",
      "X-Frame-Options": "DENY",
    });
    expect(await sent("/_next/static/chunks/main.js")).toEqual({ "X-Content-Type-Options": "nosniff" });
  });

  it("leave the API's own alone", async () => {
    expect(await sent("/api/v1/orders")).toEqual({});
  });
});
