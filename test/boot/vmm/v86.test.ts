/** The launcher of v86 with the tiny guest: channels, power, states, the balloon's device, ends. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { VmmError } from "../../../src/vmm/errors.ts";
import { type LaunchV86Options, launchV86, type V86Vmm } from "../../../src/vmm/v86/v86.ts";
import { startBundled } from "../support/bundled.ts";
import { TINY_EXIT_CODE, tinyGuest } from "../support/tiny-guest.ts";

const MIB = 1024 * 1024;
const RAM = 32 * MIB;

async function launched(options: Partial<LaunchV86Options> = {}): Promise<V86Vmm> {
  const vm = await launchV86({ image: tinyGuest(), memoryBytes: RAM, ...options });
  onTestFinished(async () => {
    await vm.kill();
  });
  return vm;
}

async function failure(promise: Promise<unknown>): Promise<VmmError> {
  const error = await promise.catch((reason: unknown) => reason);
  if (!(error instanceof VmmError)) throw new Error(`rejected with ${String(error)}`);
  return error;
}

test("boots; log, control channel and exit code", async () => {
  const vm = await launched({ append: "ballonet.key=a,b c" });
  const line = await vm.log.waitForLine({ pattern: "tiny: boot" });
  expect(line.text).toBe("tiny: boot 1 ballonet.key=a,b c");
  expect(await vm.control.request({ method: "any" })).toEqual({ big: 2n ** 64n - 1n });
  vm.control.sendLine({ line: "Q" });
  const exit = { code: null, signal: null, complaint: "" };
  expect(await vm.exited).toEqual({ reason: "guest", guestExitCode: TINY_EXIT_CODE, ...exit });
  expect((await failure(vm.balloon.query())).code).toBe("exited");
  expect((await failure(vm.control.request({ method: "any" }))).code).toBe("exited");
  expect((await failure(vm.reset())).code).toBe("exited");
});

test.each([
  ["E", { reason: "guest", guestExitCode: TINY_EXIT_CODE }],
  ["H", { reason: "halted" }],
  ["F", { reason: "failed", complaint: expect.stringContaining("#GP handler") }],
])("an end inside v86's own loop is told by exited (%s)", async (order, expected) => {
  const vm = await launched();
  await vm.log.waitForLine({ pattern: "tiny: boot" });
  const waiting = failure(vm.log.waitForLine({ pattern: "never" }));
  vm.control.sendLine({ line: order });
  expect(await vm.exited).toMatchObject(expected);
  expect((await waiting).code).toBe("exited");
});

test("paused, resumed, reset: the same machine, loaded again with a clean .bss", async () => {
  const vm = await launched({ paused: true });
  expect(vm.log.nextNumber).toBe(0);
  await vm.resume();
  await vm.log.waitForLine({ pattern: "tiny: boot 1" });
  await vm.reset();
  await vm.log.waitForLine({ pattern: "tiny: boot 1", from: 1 });
  await vm.pause();
  await vm.pause();
  const asked = vm.control.request({ method: "any", timeoutMs: 100 });
  expect((await failure(asked)).code).toBe("timeout");
  await vm.resume();
  await expect.poll(() => vm.control.strayLines.length).toBe(1); // The late reply.
});

test("a state is restored in the same machine and in another one", async () => {
  const vm = await launched();
  await vm.log.waitForLine({ pattern: "tiny: boot" });
  await vm.balloon.setTarget({ pages: 100 });
  const state = await vm.snapshots.save();
  await vm.balloon.setTarget({ pages: 300 });
  await vm.snapshots.restore({ state });
  expect((await vm.balloon.query()).targetPages).toBe(100);
  vm.control.sendLine({ line: "L" });
  await vm.log.waitForLine({ pattern: "tiny: asked" });
  const other = await launched({ paused: true });
  await other.snapshots.restore({ state });
  await other.resume();
  other.control.sendLine({ line: "L" });
  await other.log.waitForLine({ pattern: "tiny: asked" });
  expect(other.log.lines).toEqual(["tiny: asked"]);
  expect((await other.balloon.query()).targetPages).toBe(100);
});

test("balloon: absolute targets, and what needs a driver says so", async () => {
  const vm = await launched();
  for (const pages of [100, 4096, 7, 0, 8191]) {
    await vm.balloon.setTarget({ pages });
    expect(await vm.balloon.query()).toEqual({ actualPages: 0, targetPages: pages });
  }
  expect(await vm.balloon.setTarget({ guestBytes: RAM })).toEqual({ pages: 0, guestBytes: RAM });
  expect((await failure(vm.balloon.setTarget({ pages: 8192 }))).code).toBe("option");
  const offered = (1n << 32n) | (1n << 3n) | (1n << 1n);
  expect(await vm.balloon.negotiated()).toEqual({ offered, accepted: 0n, status: 0 });
  expect((await failure(vm.balloon.hint())).code).toBe("not-supported");
  expect((await failure(vm.balloon.statistics({ timeoutMs: 50 }))).code).toBe("timeout");
  const waiting = failure(vm.balloon.statistics());
  await vm.kill();
  expect((await waiting).code).toBe("exited");
});

test("a machine without a balloon says so", async () => {
  const vm = await launched({ balloon: false });
  expect(vm.hasBalloon).toBe(false);
  expect(() => vm.balloon).toThrow(expect.objectContaining({ code: "no-balloon" }));
});

test("what cannot be launched says why", async () => {
  expect((await failure(launched({ image: "/nonexistent.elf" }))).code).toBe("image");
  expect((await failure(launched({ image: new Uint8Array(9000) }))).code).toBe("image");
  expect((await failure(launched({ memoryBytes: MIB }))).message).toContain("give it more memory");
  for (const memoryBytes of [0, RAM + 1, 2 ** 31]) {
    expect((await failure(launched({ memoryBytes }))).code).toBe("option");
  }
  const reason = new Error("enough");
  await expect(launched({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const controller = new AbortController();
  const launch = launched({ signal: controller.signal });
  setTimeout(() => controller.abort(reason), 1);
  await expect(launch).rejects.toBe(reason);
});

test("several machines run side by side, each with its own channels", async () => {
  const machines = await Promise.all([1, 2, 3].map((n) => launched({ append: `n=${n}` })));
  const lines = machines.map((vm) => vm.log.waitForLine({ pattern: "tiny: boot" }));
  expect((await Promise.all(lines)).map(({ text }) => text.slice(-3))).toEqual([
    "n=1",
    "n=2",
    "n=3",
  ]);
  const exits = await Promise.all(machines.map((vm) => vm.kill()));
  expect(exits.map(({ reason }) => reason)).toEqual(["killed", "killed", "killed"]);
});

test("a killed machine leaves nothing that keeps Node alive", async () => {
  const directory = await mkdtemp(join(tmpdir(), "vmm-v86-test-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const image = join(directory, "tiny.elf");
  await writeFile(image, tinyGuest());
  const child = await startBundled({
    file: "parent-process.ts",
    args: ["v86-kill", image],
    env: {},
  });
  const end = { code: 0, signal: null, stdout: "killed\n", stderr: "" };
  expect(await child.ended).toEqual(end);
});
