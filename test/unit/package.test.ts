/** Where results are kept, on each system: its paths, and the variables that it goes by. */
import { posix, win32 } from "node:path";
import { describe, expect, it } from "vitest";
import { userCacheFolder } from "../../src/package.ts";

const home = () => "/home/user";
const noHome = (): string => {
  throw new Error("a user without a home");
};

describe("userCacheFolder", () => {
  it.each([
    ["linux", {}, "/home/user/.cache/ballonet"],
    ["linux", { XDG_CACHE_HOME: "/var/cache" }, "/var/cache/ballonet"],
    ["linux", { XDG_CACHE_HOME: "not/absolute" }, "/home/user/.cache/ballonet"],
    ["linux", { XDG_CACHE_HOME: "" }, "/home/user/.cache/ballonet"],
    ["darwin", {}, "/home/user/Library/Caches/ballonet"],
    ["darwin", { XDG_CACHE_HOME: "/var/cache" }, "/var/cache/ballonet"],
  ] as const)("on %s with %o", (platform, environment, expected) => {
    expect(userCacheFolder({ platform, environment, home })).toBe(expected);
    expect(posix.isAbsolute(expected)).toBe(true);
  });

  it.each([
    [{ LOCALAPPDATA: "D:\\Users\\me\\AppData\\Local" }, "D:\\Users\\me\\AppData\\Local"],
    [{}, "C:\\Users\\me\\AppData\\Local"],
    [{ XDG_CACHE_HOME: "E:\\cache" }, "E:"],
  ])("on Windows with %o", (environment, start) => {
    const found = userCacheFolder({
      platform: "win32",
      environment,
      home: () => "C:\\Users\\me",
    });
    expect(found.startsWith(`${start}\\`)).toBe(true);
    expect(found).not.toContain("/");
    expect(win32.isAbsolute(found)).toBe(true);
  });

  it("asks for a home only where it needs one", () => {
    const environment = { XDG_CACHE_HOME: "/var/cache" };
    expect(userCacheFolder({ platform: "linux", environment, home: noHome })).toBe(
      "/var/cache/ballonet",
    );
    expect(() => userCacheFolder({ platform: "linux", environment: {}, home: noHome })).toThrow(
      "a user without a home",
    );
  });
});
