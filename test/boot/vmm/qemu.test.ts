/**
 * The launcher of QEMU with a real QEMU and the tiny guest: channels, power, balloon commands, and
 * above all the ends: none may leave a process or a file behind.
 */

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { VmmError } from "../../../src/vmm/errors.ts";
import { type LaunchQemuOptions, launchQemu, type QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { findOnPath, processTree } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { startBundled } from "../support/bundled.ts";
import { TINY_EXIT_CODE, tinyGuest } from "../support/tiny-guest.ts";

const MIB = 1024 * 1024;
const RAM = 32 * MIB;
/** Ends that must be seen soon; generous, because two machines may share two cores with others. */
const SOON = { timeout: 10_000, interval: 20 };

let directory = "";
let image = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "vmm-qemu-test-"));
  image = join(directory, "tiny.elf");
  await writeFile(image, tinyGuest());
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach((context) => {
  toolOrSkip(context, findOnPath("qemu-system-i386"), "qemu-system-i386");
});

async function launched(options: Partial<LaunchQemuOptions> = {}): Promise<QemuVmm> {
  const vm = await launchQemu({ arch: "i386", image, memoryBytes: RAM, ...options });
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

/** Puts a mark on all processes started from here on, until the test ends. */
function marked() {
  const { env, survivors } = processTree();
  Object.assign(process.env, env);
  onTestFinished(() => {
    for (const name of Object.keys(env)) delete process.env[name];
  });
  // This process got the mark too late: its own /proc environment does not show it.
  return { env, survivors };
}

test.each([
  { arch: "i386", machine: "pc" },
  { arch: "i386", machine: "q35" },
  { arch: "x86_64", machine: "pc" },
  { arch: "x86_64", machine: "q35" },
] as const)("boots on $arch $machine; log, control channel and exit code", async (kind) => {
  const vm = await launched({ ...kind, append: "ballonet.key=a,b c" });
  const line = await vm.log.waitForLine({ pattern: /^tiny: boot (\d)/ });
  expect(line.match[1]).toBe("1");
  expect(line.text).toContain("ballonet.key=a,b c");
  expect(await vm.control.request({ method: "any" })).toEqual({ big: 2n ** 64n - 1n });
  const offered = (await vm.balloon.negotiated()).offered;
  expect(offered & 0b10n).toBe(0b10n); // QEMU always offers statistics.
  vm.control.sendLine({ line: "Q" });
  expect(await vm.exited).toEqual({
    reason: "guest",
    guestExitCode: TINY_EXIT_CODE,
    code: (TINY_EXIT_CODE << 1) | 1,
    signal: null,
    complaint: "",
  });
  expect((await failure(vm.balloon.query())).code).toBe("exited");
  expect((await failure(vm.control.request({ method: "any" }))).code).toBe("exited");
});

test("microvm: the balloon on MMIO is found and asked", async () => {
  const vm = await launched({ machine: "microvm", paused: true });
  expect(await vm.balloon.query()).toEqual({ actualPages: 0, targetPages: 0 });
  expect((await vm.balloon.negotiated()).offered & (1n << 32n)).toBe(1n << 32n);
});

test("balloon: options reach the device, targets reach QEMU as what the guest keeps", async () => {
  const trace = ["-trace", "virtio_balloon_to_target"];
  const vm = await launched({ balloon: { deflateOnOom: true, eventIdx: false }, extraArgs: trace });
  expect(await vm.balloon.setTarget({ pages: 4096 })).toEqual({
    pages: 4096,
    guestBytes: 16 * MIB,
  });
  await vm.balloon.setTarget({ guestBytes: RAM });
  await vm.balloon.setTarget({ pages: RAM / 4096 - 1 });
  const { offered, accepted, status } = await vm.balloon.negotiated();
  expect([offered & (1n << 2n), offered & (1n << 29n)]).toEqual([1n << 2n, 0n]);
  expect([accepted, status]).toEqual([0n, 0]);
  expect(await vm.balloon.query()).toEqual({ actualPages: 0, targetPages: 8191 });
  expect(await vm.balloon.statistics({ fresh: false })).toEqual({
    tags: {},
    lastUpdateMs: undefined,
  });
  const waits = [
    vm.balloon.waitForActual({ pages: 8191, timeoutMs: 100 }),
    vm.balloon.statistics({ timeoutMs: 100 }),
  ];
  for (const wait of waits) expect((await failure(wait)).code).toBe("timeout");
  for (const bad of [{ pages: 8192 }, { guestBytes: 0 }, { guestBytes: RAM + 4096 }]) {
    expect((await failure(vm.balloon.setTarget(bad))).code).toBe("option");
  }
  expect(await vm.balloon.queueStatus({ queue: 2 })).toMatchObject({ "queue-index": 2 });
  expect((await failure(vm.balloon.hint())).code).toBe("not-supported");
  const { complaint } = await vm.kill();
  const targets = [...complaint.matchAll(/num_pages: (\d+)/g)].map((match) => Number(match[1]));
  expect(targets).toEqual([4096, 0, 8191]);
});

test("a machine without a balloon says so", async () => {
  const vm = await launched({ balloon: false });
  expect(vm.hasBalloon).toBe(false);
  expect(() => vm.balloon).toThrow(expect.objectContaining({ code: "no-balloon" }));
  const error = await failure(vm.execute({ command: "query-balloon" }));
  expect(error).toMatchObject({ code: "qmp-command", errorClass: "DeviceNotActive" });
});

test("paused, resumed, reset: the same machine, loaded again", async () => {
  const vm = await launched({ paused: true });
  expect(await vm.execute({ command: "query-status" })).toMatchObject({ running: false });
  expect(vm.log.nextNumber).toBe(0);
  await vm.resume();
  const first = await vm.log.waitForLine({ pattern: "tiny: boot 1" });
  await vm.reset();
  await vm.log.waitForLine({ pattern: "tiny: boot 1", from: first.number + 1 });
  await vm.pause();
  const asked = vm.control.request({ method: "any", timeoutMs: 200 });
  expect((await failure(asked)).code).toBe("timeout");
  await vm.resume();
  await expect.poll(() => vm.control.strayLines.length, SOON).toBe(1); // The late reply.
});

test("a guest that resets itself boots again, or ends the machine if asked to", async () => {
  const again = await launched();
  await again.log.waitForLine({ pattern: "tiny: boot" });
  again.control.sendLine({ line: "F" });
  await again.log.waitForLine({ pattern: "tiny: boot 1", from: 1 });
  const once = await launched({ exitOnReboot: true });
  await once.log.waitForLine({ pattern: "tiny: boot" });
  once.control.sendLine({ line: "F" });
  expect(await once.exited).toMatchObject({ reason: "shutdown", code: 0 });
});

test("resident memory and CPU time are those of QEMU", async () => {
  const memoryBytes = 256 * MIB;
  const full = await launched({ memoryBytes, preallocate: true, paused: true });
  const bare = await launched({ memoryBytes, paused: true });
  expect(await full.residentBytes()).toBeGreaterThan(memoryBytes);
  expect(await bare.residentBytes()).toBeLessThan(memoryBytes);
  expect(await bare.residentBytes()).toBeGreaterThan(MIB);
  const before = (await bare.cpuSeconds()) ?? 0;
  await bare.resume(); // The tiny guest spins.
  await expect.poll(async () => (await bare.cpuSeconds()) ?? 0, SOON).toBeGreaterThan(before + 0.1);
});

test("what cannot be launched says why, and leaves nothing", async () => {
  const { survivors } = marked();
  const missing = await failure(launched({ binary: "qemu-system-nonesuch" }));
  expect(missing.code).toBe("qemu-not-found");
  expect(missing.message).toContain("qemu-system-x86");
  expect((await failure(launched({ image: join(directory, "none.elf") }))).code).toBe("image");
  const rubbish = join(directory, "rubbish.elf");
  await writeFile(rubbish, "rubbish".repeat(2000));
  const early = await failure(launched({ image: rubbish }));
  expect(early.code).toBe("exited-early");
  expect(early.message).toContain("invalid kernel header");
  const device = await failure(launched({ extraArgs: ["-device", "nonesuch"] }));
  expect(device.message).toContain("'nonesuch' is not a valid device model name");
  const memory = await failure(launched({ extraArgs: ["-m", "64"] }));
  expect(memory.message).toContain("67108864 bytes instead of 33554432");
  const reason = new Error("enough");
  for (const delayMs of [0, 1, 5, 20, 50]) {
    const controller = new AbortController();
    const launch = launchQemu({
      arch: "i386",
      image,
      memoryBytes: RAM,
      paused: true,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(reason), delayMs);
    const vm = await launch.catch((error: unknown) => error);
    if (vm !== reason) await (vm as QemuVmm).kill();
  }
  await expect.poll(survivors, SOON).toEqual([]);
});

test("kill ends it at once and for good; whoever waits learns it", async () => {
  const { survivors } = marked();
  const vm = await launched();
  await vm.log.waitForLine({ pattern: "tiny: boot" });
  expect(await survivors()).toHaveLength(2); // QEMU and its watcher.
  const waiting = failure(vm.log.waitForLine({ pattern: "never" }));
  const asked = failure(vm.control.request({ method: "any", timeoutMs: 60_000 }));
  const balloon = failure(vm.balloon.waitForActual({ pages: 1 }));
  expect(await vm.kill()).toMatchObject({ reason: "killed", signal: "SIGKILL" });
  expect(await vm.kill()).toMatchObject({ reason: "killed" });
  expect((await waiting).code).toBe("exited");
  expect((await balloon).code).toBe("exited");
  await asked.catch(() => {}); // The reply may have been quicker.
  await expect.poll(survivors, SOON).toEqual([]);
});

test("QEMU killed by somebody else is a failure, with the signal", async () => {
  const { survivors } = marked();
  const vm = await launched();
  process.kill(vm.pid, "SIGKILL");
  expect(await vm.exited).toMatchObject({ reason: "failed", signal: "SIGKILL", code: null });
  await expect.poll(survivors, SOON).toEqual([]);
});

test("await using kills the machine at the end of its block", async () => {
  let exited: QemuVmm["exited"] | undefined;
  {
    await using vm = await launched();
    exited = vm.exited;
  }
  expect(await exited).toMatchObject({ reason: "killed" });
});

test.each(["qemu-stay", "qemu-launch"])(
  "a parent killed with SIGKILL leaves no process and no file (%s)",
  async (mode) => {
    const { env, survivors } = processTree();
    const temporary = await mkdtemp(join(directory, "tmp-"));
    const parent = await startBundled({
      file: "parent-process.ts",
      args: [mode, image],
      env: { ...env, TMPDIR: temporary },
    });
    await parent.firstLine;
    if (mode === "qemu-stay") expect(await survivors()).toHaveLength(5);
    // In the middle of a launch: as soon as there is anything else than the parent.
    else await expect.poll(async () => (await survivors()).length, SOON).toBeGreaterThan(1);
    parent.kill("SIGKILL");
    expect(await parent.ended).toMatchObject({ code: null, signal: "SIGKILL", stderr: "" });
    await expect.poll(survivors, SOON).toEqual([]);
    expect(await readdir(temporary)).toEqual([]);
  },
);

test.each([
  ["qemu-exit", 5, ""],
  ["qemu-throw", 1, "thrown on purpose"],
] as const)(
  "a parent that ends without a kill leaves no process (%s)",
  async (mode, code, said) => {
    const { env, survivors } = processTree();
    const parent = await startBundled({ file: "parent-process.ts", args: [mode, image], env });
    const end = await parent.ended;
    expect([end.code, end.signal]).toEqual([code, null]);
    expect(end.stderr).toContain(said);
    await expect.poll(survivors, SOON).toEqual([]);
  },
);
