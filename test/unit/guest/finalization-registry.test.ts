/** What a program's FinalizationRegistry takes and tells. Collection itself is tried in guests. */
import { describe, expect, it } from "vitest";
import { GuestFinalizationRegistry } from "../../../runtime/guest/finalization-registry.ts";

const ignore = () => {};

describe("a FinalizationRegistry", () => {
  it("forgets what was registered with a token, of its own alone", () => {
    const [one, other] = [ignore, ignore].map((it) => new GuestFinalizationRegistry(it));
    const token = {};
    one?.register({}, 1, token);
    one?.register({}, 2, token);
    other?.register({}, 3, token);
    expect(one?.unregister(token)).toBe(true);
    expect(one?.unregister(token)).toBe(false);
    expect(other?.unregister(token)).toBe(true);
    expect(String(one)).toBe("[object FinalizationRegistry]");
  });

  it("refuses what it cannot watch, or call", () => {
    const registry = new GuestFinalizationRegistry<unknown>(ignore);
    const target = {};
    expect(() => registry.register(target, target)).toThrow(TypeError);
    expect(() => registry.register(1 as never, 1)).toThrow(TypeError);
    expect(() => registry.register(target, 1, 2 as never)).toThrow(TypeError);
    expect(() => registry.unregister("token" as never)).toThrow(TypeError);
    expect(() => new GuestFinalizationRegistry(5 as never)).toThrow(TypeError);
  });
});
