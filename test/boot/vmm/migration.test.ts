/**
 * Migration between two real QEMUs with the tiny guest: what arrives, and above all the ends. None
 * may leave two running guests, a process or a file behind.
 */

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { MigrationError, VmmError } from "../../../src/vmm/errors.ts";
import { loadState, migrate, saveState } from "../../../src/vmm/qemu/migration.ts";
import { type LaunchQemuOptions, launchQemu, type QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { tinyGuest } from "../support/tiny-guest.ts";

const MIB = 1024 * 1024;
const RAM = 32 * MIB;
/** So slow that even a guest of zeroes takes minutes: whatever ends it earlier was asked for. */
const SLOW = { "max-bandwidth": 100 };
const FAST = { "max-bandwidth": 1024 * MIB };

let directory = "";
let image = "";
let sockets = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "vmm-migration-test-"));
  image = join(directory, "tiny.elf");
  await writeFile(image, tinyGuest());
});
afterAll(() => rm(directory, { recursive: true }));

beforeEach(async (context) => {
  toolOrSkip(context, findOnPath("qemu-system-i386"), "qemu-system-i386");
  sockets = await mkdtemp(join(directory, "tmp-"));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = sockets;
  onTestFinished(async () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    expect(await readdir(sockets)).toEqual([]);
  });
});

async function launched(options: Partial<LaunchQemuOptions> = {}): Promise<QemuVmm> {
  const vm = await launchQemu({ arch: "i386", image, memoryBytes: RAM, ...options });
  onTestFinished(async () => {
    await vm.kill();
  });
  return vm;
}

async function booted(options: Partial<LaunchQemuOptions> = {}): Promise<QemuVmm> {
  const vm = await launched(options);
  await vm.log.waitForLine({ pattern: "tiny: boot 1" });
  return vm;
}

async function failure(promise: Promise<unknown>): Promise<VmmError> {
  const error = await promise.catch((reason: unknown) => reason);
  if (!(error instanceof VmmError)) throw new Error(`rejected with ${String(error)}`);
  return error;
}

async function stateOf(vm: QemuVmm): Promise<string> {
  return ((await vm.execute({ command: "query-status" })) as { status: string }).status;
}

/** Alive, and the same guest: it does not boot anew. */
async function answers(vm: QemuVmm): Promise<void> {
  expect(await stateOf(vm)).toBe("running");
  const from = vm.log.nextNumber;
  vm.control.sendLine({ line: "L" });
  const { text } = await vm.log.waitForLine({ pattern: /./, from });
  expect(text).not.toContain("boot");
}

test("a guest moves; it goes on talking on the destination's channels", async () => {
  const source = await booted();
  await source.balloon.setTarget({ pages: 77 });
  const destination = await launched({ incoming: true });
  expect(await stateOf(destination)).toBe("inmigrate");
  const seen: string[] = [];
  const result = await migrate({
    source,
    destination,
    onProgress: ({ status, transferredBytes, totalBytes }) => {
      expect(transferredBytes).toBeLessThanOrEqual(totalBytes);
      seen.push(status);
    },
  });
  expect(seen.at(-1)).toBe("completed");
  expect(result).toMatchObject({ status: "completed", remainingBytes: 0, errorText: "" });
  // Nearly all of its memory is zeroes, which QEMU sends as a few bytes each.
  expect(result.totalBytes).toBeGreaterThanOrEqual(RAM);
  expect(result.duplicatePages).toBeGreaterThan(RAM / 4096 / 2);
  expect(result.normalPages).toBeGreaterThan(0);
  expect(result.transferredBytes).toBeGreaterThan(result.normalPages * 4096);
  expect(result.transferredBytes).toBeLessThan(RAM);
  expect(result.totalMs).toBeGreaterThanOrEqual(result.downtimeMs);
  expect(await stateOf(source)).toBe("postmigrate");
  await answers(destination);
  expect(await destination.control.request({ method: "any" })).toEqual({ big: 2n ** 64n - 1n });
  expect(await destination.balloon.query()).toEqual({ actualPages: 0, targetPages: 77 });
  expect(source.log.lines).toHaveLength(1);
});

test("a paused guest arrives paused, and a running one where it shall wait", async () => {
  const paused = await booted();
  await paused.pause();
  const first = await launched({ incoming: true });
  await migrate({ source: paused, destination: first });
  expect(await stateOf(first)).toBe("paused");
  await first.resume();
  await answers(first);
  const second = await launched({ incoming: true, paused: true });
  await migrate({ source: first, destination: second });
  expect(await stateOf(second)).toBe("paused");
  await second.resume();
  await answers(second);
});

test.each([{ isStill: true }, { isStill: false }, {}])(
  "a guest moves and goes on %o",
  async (how) => {
    const source = await booted();
    const { isStill = source.qmp.version.major < 9 } = how;
    const seen: Promise<string>[] = [];
    const late = migrate({
      source,
      destination: await launched({ incoming: true }),
      parameters: SLOW,
      timeoutMs: 300,
      ...how,
      onProgress: ({ status }) => {
        if (status === "active") seen.push(stateOf(source));
      },
    });
    expect(await failure(late)).toMatchObject({ code: "timeout" });
    expect((await Promise.all(seen))[0]).toBe(isStill ? "paused" : "running");
    await answers(source);
    const destination = await launched({ incoming: true });
    await migrate({ source, destination, parameters: FAST, ...how });
    await answers(destination);
    const waiting = await launched({ incoming: true, paused: true });
    await migrate({ source: destination, destination: waiting, ...how });
    expect(await stateOf(waiting)).toBe("paused");
  },
);

test("what cannot be a source or a destination is told before anything happens", async () => {
  const source = await booted();
  const running = await failure(migrate({ source, destination: await launched() }));
  expect(running).toMatchObject({ code: "option", seen: "a machine that is running" });
  const destination = await launched({ incoming: true, memoryBytes: 2 * RAM });
  const large = await failure(migrate({ source, destination }));
  expect(large).toMatchObject({ code: "option" });
  expect(large.seen).toContain(`${2 * RAM} bytes`);
  await answers(source);
  const [first, second] = [await launched({ incoming: true }), await launched({ incoming: true })];
  await migrate({ source, destination: first });
  const gone = await failure(migrate({ source, destination: second }));
  expect(gone).toMatchObject({ code: "option", seen: "a machine that is postmigrate" });
});

test.each([
  ["no balloon", { balloon: false }, /Unknown savevm section .*virtio-balloon/],
  ["another machine", { machine: "q35" }, /Machine type received is 'pc-i440fx-/],
  [
    "another device",
    { balloon: { disableModern: true } },
    /get_pci_config_device: Bad config data/,
  ],
] as const)("a destination with %s says why it cannot", async (_name, options, words) => {
  const source = await booted();
  const destination = await launched({ incoming: true, ...options });
  const error = await failure(migrate({ source, destination }));
  expect(error).toBeInstanceOf(MigrationError);
  expect(error).toMatchObject({ code: "migration", missing: 0n });
  expect((error as MigrationError).destinationSaid).toMatch(words);
  expect(error.message).toMatch(words);
  expect(await destination.exited).toMatchObject({ reason: "failed", code: 1 });
  await answers(source);
});

test.each([true, false])("called off, the source is as before (running: %s)", async (running) => {
  const source = await booted();
  if (!running) await source.pause();
  const reason = new Error("enough");
  const controller = new AbortController();
  const aborted = await launched({ incoming: true });
  const moving = migrate({
    source,
    destination: aborted,
    parameters: SLOW,
    signal: controller.signal,
    onProgress: ({ status }) => {
      if (status === "active") controller.abort(reason);
    },
  });
  await expect(moving).rejects.toBe(reason);
  await aborted.exited;
  const late = await launched({ incoming: true });
  const limits = { parameters: SLOW, timeoutMs: 300 };
  const error = await failure(migrate({ source, destination: late, ...limits }));
  expect(error.code).toBe("timeout");
  await late.exited;
  expect(await stateOf(source)).toBe(running ? "running" : "paused");
  // And it can still leave.
  const destination = await launched({ incoming: true });
  await migrate({ source, destination, parameters: FAST });
  await destination.resume();
  await answers(destination);
});

test("called off when all is done, the guest has moved", async () => {
  const source = await booted();
  const destination = await launched({ incoming: true });
  const controller = new AbortController();
  const result = await migrate({
    source,
    destination,
    signal: controller.signal,
    onProgress: ({ status }) => {
      if (status === "completed") controller.abort();
    },
  });
  expect(controller.signal.aborted).toBe(true);
  expect(result.status).toBe("completed");
  expect(await stateOf(source)).toBe("postmigrate");
  await answers(destination);
});

test("an end of either machine ends the migration", async () => {
  const source = await booted();
  const first = await launched({ incoming: true });
  const killed = (vm: QemuVmm) => ({
    parameters: SLOW,
    onProgress: ({ status }: { status: string }) => {
      if (status === "active") process.kill(vm.pid, "SIGKILL");
    },
  });
  const lost = await failure(migrate({ source, destination: first, ...killed(first) }));
  expect(lost.code).toBe("migration");
  await answers(source);
  const second = await launched({ incoming: true });
  const gone = await failure(migrate({ source, destination: second, ...killed(source) }));
  expect(gone.code).toBe("exited");
  expect(gone.message).toContain("SIGKILL");
  await second.exited;
});

test("capabilities and parameters reach both sides; QEMU's refusal is told", async () => {
  const source = await booted();
  const destination = await launched({ incoming: true });
  const tuning = { capabilities: { xbzrle: true }, parameters: { "downtime-limit": 123 } };
  await migrate({ source, destination, ...tuning });
  for (const vm of [source, destination]) {
    expect(await vm.execute({ command: "query-migrate-parameters" })).toMatchObject({
      "downtime-limit": 123,
    });
    expect(await vm.execute({ command: "query-migrate-capabilities" })).toContainEqual({
      capability: "xbzrle",
      state: true,
    });
  }
  const other = await launched({ incoming: true });
  const wrong = { source: destination, destination: other, capabilities: { nonesuch: true } };
  const error = await failure(migrate(wrong));
  expect(error).toMatchObject({ code: "qmp-command" });
  expect(error.message).toContain("nonesuch");
  await answers(destination);
});

test("a state as bytes begins again in any number of machines", async () => {
  const source = await booted();
  const state = await saveState({ source });
  await answers(source);
  for (const paused of [false, true]) {
    const destination = await launched({ incoming: true, paused });
    await loadState({ destination, state });
    if (paused) {
      expect(await stateOf(destination)).toBe("paused");
      await destination.resume();
    }
    await answers(destination);
  }
  const cut = await launched({ incoming: true });
  const error = await failure(loadState({ destination: cut, state: state.subarray(0, 5000) }));
  expect(error).toMatchObject({ code: "migration" });
  expect((error as MigrationError).destinationSaid).toContain("load of migration failed");
  const controller = new AbortController();
  const saving = saveState({ source, parameters: SLOW, signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 100);
  await expect(saving).rejects.toThrow("enough");
  await answers(source);
});
