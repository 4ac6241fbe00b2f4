/** ElasticCache: what stays, what goes, and how it follows the machine's memory. */
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Host } from "../../../runtime/guest/host.ts";

const MIB = 2 ** 20;
let freeBytes = 0;
let nowMs = 0;
const offers: number[] = [];

/** What ElasticCache and `memory` ask of a kernel. */
const kernel: Partial<Host> = {
  now: () => nowMs,
  pages: (kind) => (kind === 0 ? freeBytes / 4096 : 0),
  offer: (bytes) => void offers.push(bytes),
  allocate: (bytes) => {
    if (bytes > freeBytes) return undefined;
    freeBytes -= bytes;
    return new ArrayBuffer(bytes);
  },
  collect: () => {},
  send: () => {},
  yield: () => {},
};

let guest: typeof import("../../../runtime/guest/elastic-cache.ts") &
  typeof import("../../../runtime/guest/memory.ts");

beforeAll(async () => {
  vi.stubGlobal("ballonetHost", kernel);
  guest = {
    ...(await import("../../../runtime/guest/elastic-cache.ts")),
    ...(await import("../../../runtime/guest/memory.ts")),
  };
});

beforeEach(() => {
  freeBytes = 100 * MIB;
  nowMs += 10_000;
});

function cacheOf(maxBytes: number, options: object = {}) {
  return new guest.ElasticCache<string, ArrayBuffer>({ maxBytes, ...options });
}

describe("what goes", () => {
  it("is what was not used for longest", () => {
    const cache = cacheOf(3 * MIB);
    for (const key of ["a", "b", "c"]) expect(cache.set(key, new ArrayBuffer(MIB))).toBe(true);
    expect(cache.get("a")?.byteLength).toBe(MIB);
    cache.set("d", new ArrayBuffer(MIB));
    expect(["a", "b", "c", "d"].map((key) => cache.has(key))).toEqual([true, false, true, true]);
    expect(cache.get("b")).toBeUndefined();
    expect(cache.counts()).toEqual({
      entries: 3,
      bytes: 3 * MIB,
      limitBytes: 3 * MIB,
      hits: 1,
      misses: 1,
      hitRate: 0.5,
      evicted: 1,
    });
    cache.close();
  });

  it("is what costs least for its weight, of the oldest", () => {
    const gone: string[] = [];
    const cost = (_: ArrayBuffer, key: string) => (key === "cheap" ? 1 : 9);
    const onEvict = (_: ArrayBuffer, key: string) => gone.push(key);
    const cache = cacheOf(3 * MIB, { cost, onEvict });
    for (const key of ["dear", "cheap", "new"]) cache.set(key, new ArrayBuffer(MIB));
    cache.set("last", new ArrayBuffer(MIB));
    expect(gone).toEqual(["cheap"]);
    cache.close();
  });

  it("is nothing for a value that is too heavy, which is not taken", () => {
    const cache = cacheOf(MIB);
    expect(cache.set("a", new ArrayBuffer(MIB + 1))).toBe(false);
    expect(cache.size).toBe(0);
    expect(() => cacheOf(Number.NaN)).toThrow(RangeError);
    cache.close();
  });
});

it("is told of to the driver, all caches together", () => {
  const [one, other] = [cacheOf(10 * MIB), cacheOf(10 * MIB)];
  one.set("a", new ArrayBuffer(2 * MIB));
  other.set("a", new ArrayBuffer(3 * MIB));
  expect(offers.at(-1)).toBe(5 * MIB);
  one.close();
  other.delete("a");
  expect(offers.at(-1)).toBe(0);
  other.close();
});

it("shrinks when memory is wanted, and grows when it is back", () => {
  const cache = cacheOf(10 * MIB);
  for (let at = 0; at < 10; at++) cache.set(`${at}`, new ArrayBuffer(MIB));
  guest.press({ bytes: 3.5 * MIB, urgency: "target" });
  expect(cache.counts()).toMatchObject({ bytes: 6 * MIB, limitBytes: 6 * MIB });
  cache.set("more", new ArrayBuffer(MIB));
  expect(cache.counts().bytes).toBe(6 * MIB);
  nowMs += 1000;
  freeBytes = 2 * MIB;
  cache.set("and more", new ArrayBuffer(MIB));
  expect(cache.counts().bytes).toBe(6 * MIB);
  freeBytes = 50 * MIB;
  cache.set("most", new ArrayBuffer(MIB));
  expect(cache.counts()).toMatchObject({ bytes: 7 * MIB, limitBytes: 10 * MIB });
  cache.close();
});

it("gives room to an allocation that would fail, and hears of none once it is closed", () => {
  const onEvict = () => {
    freeBytes += MIB;
  };
  const cache = cacheOf(10 * MIB, { onEvict });
  cache.set("a", new ArrayBuffer(MIB));
  freeBytes = 0;
  expect(guest.memory.allocate(MIB).byteLength).toBe(MIB);
  expect(cache.size).toBe(0);
  cache.close();
  expect(() => guest.memory.allocate(MIB)).toThrow(RangeError);
});

it("a listener that is taken away hears nothing", () => {
  const heard: unknown[] = [];
  const end = guest.memory.onPressure((pressure) => heard.push(pressure));
  guest.press({ bytes: 1, urgency: "target" });
  end();
  guest.press({ bytes: 2, urgency: "target" });
  expect(heard).toEqual([{ bytes: 1, urgency: "target" }]);
});
