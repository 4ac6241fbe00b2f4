/**
 * The control channel of the real guest: what it answers, and what it refuses without a trace.
 *
 * Whatever was sent, the next request is answered as if nothing had been.
 */
import { describe, expect, it } from "vitest";
import { RPC_ERROR } from "../../../runtime/kernel/json-rpc-server.ts";
import { MAX_REQUEST_BYTES } from "../../../src/vmm/control.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import {
  allocate,
  ask,
  BOOT_MS,
  guestAt,
  inflateTo,
  MIB,
  type Place,
  placeName,
  statusOf,
  useGuests,
  verifyAll,
} from "../../support/guests.ts";

useGuests();

const SCRIPT_MS = 60_000;
const memoryBytes = 64 * MIB;
const SOON = { timeout: BOOT_MS, interval: 20 };
const WHERE: readonly Place[] = [
  { on: "qemu", arch: "i386", machine: "pc" },
  { on: "qemu", arch: "x86_64", machine: "q35" },
  { on: "v86" },
];

/** All that a request could have changed. */
async function settings(vm: Vmm) {
  const { state, policy, deflateMode, reservePages, targetPages, actualPages, workloadFrames } =
    await statusOf(vm);
  return { state, policy, deflateMode, reservePages, targetPages, actualPages, workloadFrames };
}

const call = (method: unknown, rest: object = {}) =>
  JSON.stringify({ jsonrpc: "2.0", id: null, method, ...rest });

/** Lines that are answered with an error and the id null. */
const REFUSED: readonly [string, string | Uint8Array, number][] = [
  ["no JSON", "status", RPC_ERROR.parse],
  ["JSON cut short", '{"jsonrpc":"2.0","id":1,"method":"stat', RPC_ERROR.parse],
  ["no UTF-8", Uint8Array.of(0x22, 0xff, 0xfe, 0x80, 0x22), RPC_ERROR.parse],
  ["UTF-8 cut short", Uint8Array.of(0x22, 0xe2, 0x82, 0x22), RPC_ERROR.parse],
  [
    "a batch",
    `[${call("status")},${call("reserve.set", { params: { pages: 1 } })}]`,
    RPC_ERROR.request,
  ],
  ["an empty batch", "[]", RPC_ERROR.request],
  ["a number", "7", RPC_ERROR.request],
  ["null", "null", RPC_ERROR.request],
  ["no version", '{"id":null,"method":"status"}', RPC_ERROR.request],
  ["another version", '{"jsonrpc":"1.0","id":null,"method":"status"}', RPC_ERROR.request],
  ["no method", '{"jsonrpc":"2.0","id":null}', RPC_ERROR.request],
  ["a method that is no text", call(5), RPC_ERROR.request],
  ["an id that is an object", '{"jsonrpc":"2.0","id":{},"method":"status"}', RPC_ERROR.request],
  ["parameters by position", call("reserve.set", { params: [1] }), RPC_ERROR.request],
  ["an unknown method", call("reserve.get"), RPC_ERROR.method],
  ["a method of all objects", call("toString"), RPC_ERROR.method],
  ["a method of no object", call("__proto__"), RPC_ERROR.method],
];

/** Requests that are understood and refused. */
const WRONG: readonly [string, object, number][] = [
  ["status", { verbose: true }, RPC_ERROR.params],
  ["workload.allocate", {}, RPC_ERROR.params],
  ["workload.allocate", { frames: 0, seed: 1 }, RPC_ERROR.params],
  ["workload.allocate", { frames: 1.5, seed: 1 }, RPC_ERROR.params],
  ["workload.allocate", { frames: "1", seed: 1 }, RPC_ERROR.params],
  ["workload.allocate", { frames: 1, seed: 2 ** 32 }, RPC_ERROR.params],
  ["workload.allocate", { frames: 1, seed: 1, colour: "red" }, RPC_ERROR.params],
  ["workload.allocate", { frames: 1_000_000, seed: 1 }, RPC_ERROR.refused],
  ["workload.verify", { handle: 77 }, RPC_ERROR.params],
  ["workload.free", { handle: 77 }, RPC_ERROR.params],
  ["workload.free", {}, RPC_ERROR.params],
  ["policy.set", { name: "generous" }, RPC_ERROR.refused],
  ["policy.set", { name: "gentle", options: { pace: 1 } }, RPC_ERROR.refused],
  ["policy.set", { name: "gentle", options: { pagesPerSecond: 0 } }, RPC_ERROR.refused],
  ["policy.set", { name: "gentle", options: 5 }, RPC_ERROR.params],
  ["deflate.set", { mode: "later" }, RPC_ERROR.params],
  ["reserve.set", { pages: -1 }, RPC_ERROR.params],
  ["panic", { kind: "mild" }, RPC_ERROR.params],
  ["evaluate", { script: 1 }, RPC_ERROR.params],
  ["evaluate", { script: "throw new Error('no')" }, RPC_ERROR.refused],
];

describe.each(WHERE.map((place) => ({ place, name: placeName(place) })))("$name", ({ place }) => {
  it("refuses what is no request, and has changed nothing", async (context) => {
    const vm = await guestAt(context, place, { memoryBytes });
    const handle = await allocate(vm, 64, 1);
    await inflateTo(vm, 300);
    const before = await settings(vm);
    for (const [what, line, rpcCode] of REFUSED) {
      vm.control.sendLine({ line });
      const reply = await vm.control.takeUnattributed({ timeoutMs: BOOT_MS });
      expect({ what, rpcCode: reply.rpcCode }).toEqual({ what, rpcCode });
    }
    const oversized = "x".repeat(MAX_REQUEST_BYTES + 1);
    vm.control.sendLine({ line: oversized, allowOversize: true });
    expect(await vm.control.takeUnattributed({ timeoutMs: BOOT_MS })).toMatchObject({
      rpcCode: RPC_ERROR.request,
      detail: expect.stringContaining("more than"),
    });
    for (const [method, params, rpcCode] of WRONG) {
      const asked = ask(vm, method, { ...params });
      await expect(asked, `${method} ${JSON.stringify(params)}`).rejects.toMatchObject({ rpcCode });
    }
    expect(await settings(vm)).toEqual(before);
    expect(await verifyAll(vm)).toEqual({ bytes: 64 * 4096, mismatches: 0 });
    expect(await ask(vm, "workload.free", { handle })).toEqual({ frames: 64 });
    expect(vm.control.strayLines).toEqual([]);
  });

  it("does what a notification says, and does not answer it", async (context) => {
    const vm = await guestAt(context, place, { memoryBytes });
    const notify = (method: string, params: object) =>
      vm.control.sendLine({ line: JSON.stringify({ jsonrpc: "2.0", method, params }) });
    notify("reserve.set", { pages: 321 });
    notify("reserve.set", { pages: -5 });
    notify("nonsense", {});
    await expect.poll(async () => (await statusOf(vm)).reservePages, SOON).toBe(321);
    const silence = vm.control.takeUnattributed({ timeoutMs: 200 });
    await expect(silence).rejects.toMatchObject({ code: "timeout" });
    expect(vm.control.strayLines).toEqual([]);
  });

  it("does what it is asked", async (context) => {
    const vm = await guestAt(context, place, { memoryBytes });
    const first = await allocate(vm, 100, 5);
    const second = await allocate(vm, 50, 6);
    expect(await ask(vm, "workload.verify", { handle: second })).toEqual({
      bytes: 50 * 4096,
      mismatches: 0,
    });
    expect(await ask(vm, "workload.free", { handle: first })).toEqual({ frames: 100 });
    expect(await verifyAll(vm)).toEqual({ bytes: 50 * 4096, mismatches: 0 });
    expect(await ask(vm, "policy.set", { name: "gentle" })).toEqual({ policy: "gentle" });
    expect(await ask(vm, "deflate.set", { mode: "use-first" })).toEqual({ mode: "use-first" });
    expect(await ask(vm, "reserve.set", { pages: 10 })).toEqual({ pages: 10 });
    expect(await settings(vm)).toMatchObject({
      policy: "gentle",
      deflateMode: "use-first",
      reservePages: 10,
      workloadFrames: 50,
    });
  });

  it("runs a script, and tells how it failed", async (context) => {
    const vm = await guestAt(context, place, { memoryBytes });
    const evaluate = (script: string) => ask(vm, "evaluate", { script, timeoutMs: SCRIPT_MS });
    expect(await evaluate("[1 + 1, 'grüße', { deep: [null, true] }]")).toEqual([
      2,
      "grüße",
      { deep: [null, true] },
    ]);
    expect(await evaluate("undefined")).toBe(null);
    // Whatever the guest program has called its own: a script's names are the script's.
    const names = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    const declared = names.map((name) => `${name} = 1`).join(", ");
    expect(await evaluate(`var ${declared}; a + z`)).toBe(2);
    expect(await evaluate("function e() { return 5 } e()")).toBe(5);
    expect(await evaluate("machine.core.ledger_frames() > 1000")).toBe(true);
    await expect(evaluate("nowhere()")).rejects.toMatchObject({
      rpcCode: RPC_ERROR.refused,
      detail: expect.stringContaining("ReferenceError: nowhere is not defined"),
    });
    await expect(evaluate("1 +")).rejects.toMatchObject({
      detail: expect.stringContaining("SyntaxError"),
    });
    await expect(evaluate("(function f() { f() })()")).rejects.toMatchObject({
      detail: expect.stringContaining("RangeError"),
    });
    const endless = "const all = []; for (let i = 0; ; i++) all.push({ i, of: { i } })";
    const deep =
      "let it = [1].values(); for (let i = 0; i < 20000; i++) it = it.map(Object); it.next()";
    for (const [script, error] of [
      [endless, "out of memory"],
      [deep, "stack overflow"],
      // The engine enters each of these before it writes to its stack.
      ['new Function("()=>".repeat(1000) + "1")', "stack overflow"],
    ] as const) {
      await expect(evaluate(script)).rejects.toMatchObject({
        rpcCode: RPC_ERROR.refused,
        detail: expect.stringContaining(error),
      });
      expect(await evaluate("2 + 2")).toBe(4);
    }
    await expect(evaluate("10n")).rejects.toMatchObject({ rpcCode: RPC_ERROR.refused });
    expect((await statusOf(vm)).state).toBe("running");
  });
});
