/** What the core does when it is used in an order that no driver should use. */
import { beforeEach, describe, expect, it } from "vitest";
import type { CoreExports } from "../../../runtime/core/exports.ts";
import { instantiateCore } from "../../support/core-instance.ts";

const ARENA_PTR = 0x1_0000;
const memory = new WebAssembly.Memory({ initial: 4 });
let core: CoreExports;

beforeEach(() => {
  new Uint8Array(memory.buffer).fill(0);
  core = instantiateCore(memory);
  core.arena_open(ARENA_PTR, 100, 8, 4, 16);
  core.ledger_add(0, 100);
});

describe("a queue that was never opened", () => {
  it("takes no page and leaves the guest's memory alone", () => {
    expect(core.balloon_inflate(10)).toBe(0);
    expect(core.ledger_count(2)).toBe(100);
    const below = new Uint8Array(memory.buffer, 0, ARENA_PTR);
    expect(below.every((byte) => byte === 0)).toBe(true);
  });

  it("traps when statistics are posted to it", () => {
    expect(() => core.stats_post(10)).toThrow(WebAssembly.RuntimeError);
  });
});

describe("an arena that is opened again", () => {
  it("has nothing in flight, whatever was", () => {
    core.queue_open(0, 8, 0, 4);
    expect(core.balloon_inflate(10)).toBe(10);
    core.arena_open(ARENA_PTR, 100, 8, 4, 16);
    expect(core.queue_pages_in_flight(0)).toBe(0);
    core.ledger_add(0, 100);
    core.queue_open(0, 8, 0, 4);
    expect(core.balloon_inflate(7)).toBe(7);
    expect(core.queue_pages_in_flight(0)).toBe(7);
  });
});

it.each([
  ["an unaligned arena", () => core.arena_open(0x1_0001, 100, 8, 4, 16)],
  ["address 0", () => core.arena_open(0, 100, 8, 4, 16)],
  ["a ring of no entries", () => core.arena_open(ARENA_PTR, 100, 0, 4, 16)],
  ["a ring that is too long", () => core.arena_open(ARENA_PTR, 100, 1025, 4, 16)],
  ["no buffers", () => core.arena_open(ARENA_PTR, 100, 8, 0, 16)],
  ["too many buffers", () => core.arena_open(ARENA_PTR, 100, 8, 257, 16)],
  ["no PFNs", () => core.arena_open(ARENA_PTR, 100, 8, 4, 0)],
  ["too many PFNs", () => core.arena_open(ARENA_PTR, 100, 8, 4, 513)],
  ["a queue size that is no power of two", () => core.queue_open(0, 6, 0, 4)],
  ["a queue larger than carved", () => core.queue_open(0, 16, 0, 4)],
  ["a sixth queue", () => core.queue_open(5, 8, 0, 4)],
  ["an alignment that is no power of two", () => core.queue_open(0, 8, 0, 12)],
  ["an alignment below 4", () => core.queue_open(0, 8, 0, 2)],
  ["an alignment beyond a page", () => core.queue_open(0, 8, 0, 8192)],
  ["a state past the last", () => core.ledger_count(8)],
  ["frames in a state past the last", () => core.ledger_uniform(1, 1, 17)],
  ["a frame past the last", () => core.ledger_state(100)],
  ["settling statistics as pages", () => core.balloon_settle(2)],
  ["a statistic past the last", () => core.stats_put(24, 0, 0)],
  ["a unit of no frames", () => core.ledger_unit(0)],
  ["a unit that does not divide a block", () => core.ledger_unit(3)],
  ["a unit larger than a block", () => core.ledger_unit(1024)],
])("traps on %s", (_, misuse) => {
  expect(misuse).toThrow(WebAssembly.RuntimeError);
});

describe("statistics", () => {
  it("go out one buffer at a time, ten bytes each, exact up to 2^53", () => {
    core.queue_open(2, 8, 0, 4);
    core.stats_put(0, 4, 2 ** 53);
    core.stats_put(1, 9, 7);
    core.stats_post(20);
    expect(core.queue_publish(2)).toBe(1);
    const view = new DataView(memory.buffer);
    const descriptor = core.queue_descriptor_area(2) >>> 0;
    const at = Number(view.getBigUint64(descriptor, true));
    expect(view.getUint32(descriptor + 8, true)).toBe(20);
    expect([view.getUint16(at, true), view.getBigUint64(at + 2, true)]).toEqual([4, 2n ** 53n]);
    expect([view.getUint16(at + 10, true), view.getBigUint64(at + 12, true)]).toEqual([9, 7n]);
    expect(() => core.stats_post(20)).toThrow(WebAssembly.RuntimeError);
    expect(core.stats_take()).toBe(0);
    view.setUint16((core.queue_device_area(2) >>> 0) + 2, 1, true);
    expect(core.stats_take()).toBe(1);
    core.stats_post(10);
    expect(core.queue_buffers_in_flight(2)).toBe(1);
  });
});
