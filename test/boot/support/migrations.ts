/**
 * Guests on the move: the real image, from one QEMU into another.
 *
 * What is looked at after a move is looked at from both sides, the guest's and QEMU's.
 */
import { expect, type TestContext } from "vitest";
import type { JsonObject } from "../../../src/vmm/json.ts";
import { type MigrateOptions, migrate } from "../../../src/vmm/qemu/migration.ts";
import type { LaunchQemuOptions, QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import {
  BOOT_MS,
  inflateTo,
  qemuGuest,
  sizeOf,
  statusOf,
  verifyAll,
} from "../../support/guests.ts";

/** What a guest is launched with; its destination is launched with the same, but for changes. */
export type MachineOptions = Omit<LaunchQemuOptions, "image">;

/** A machine for the guest of another, which has the same options but for these. */
export function destinationOf(
  context: TestContext,
  options: MachineOptions,
  changes: Partial<MachineOptions> = {},
): Promise<QemuVmm> {
  return qemuGuest(context, { ...options, ...changes, incoming: true, untilReady: false });
}

/** Moves the guest into a new machine and ends the old one. */
export async function move(
  context: TestContext,
  source: QemuVmm,
  options: MachineOptions,
  how: Omit<MigrateOptions, "source" | "destination"> = {},
): Promise<QemuVmm> {
  const destination = await destinationOf(context, options);
  await migrate({ source, destination, ...how });
  await source.kill();
  return destination;
}

/** The balloon holds so many pages: to QEMU, to the driver, and in its ledger. */
export async function expectBalloon(vm: QemuVmm, pages: number): Promise<void> {
  expect(await sizeOf(vm)).toBe(pages);
  // Where the balloon had this size already, the guest may still have to look at the target.
  const seen = async () => {
    const { state, targetPages, actualPages, frames } = await statusOf(vm);
    return { state, targetPages, actualPages, held: frames.held };
  };
  await expect
    .poll(seen, { timeout: BOOT_MS, interval: 10 })
    .toEqual({ state: "running", targetPages: pages, actualPages: pages, held: pages });
}

/** The guest follows targets up and down, and what it owns is whole. */
export async function expectAtWork(vm: QemuVmm, targets: readonly number[]): Promise<void> {
  for (const pages of targets) {
    await inflateTo(vm, pages);
    await expectBalloon(vm, pages);
    expect((await verifyAll(vm)).mismatches).toBe(0);
  }
  expect(vm.log.lines.filter((line) => /error|warn|panic/.test(line))).toEqual([]);
}

/** The host is done with every run, and the guest has all of its pages back. */
export async function expectPagesBack(vm: QemuVmm): Promise<void> {
  const away = async () => {
    const { hintRun, frames } = await statusOf(vm);
    return { hintRun, hinted: frames.hinted };
  };
  await expect
    .poll(away, { timeout: BOOT_MS, interval: 10 })
    .toEqual({ hintRun: undefined, hinted: 0 });
}

export async function runStateOf(vm: QemuVmm): Promise<string> {
  return ((await vm.execute({ command: "query-status" })) as { status: string }).status;
}

interface Amid {
  /** Pages at the start and in the end. */
  readonly from: number;
  readonly to: number;
  /** In one buffer; every buffer must be full. */
  readonly pagesPerBuffer: number;
}

/** Chances to stop at the right moment; on a busy machine, too, most of them are. */
const TRIES = 100;

/**
 * Stops the machine in the very middle of the balloon's way from one size to the other: the host
 * has used buffers of which the guest has not counted the pages yet. Answers the size by then.
 */
export async function stopAmid(vm: QemuVmm, { from, to, pagesPerBuffer }: Amid): Promise<number> {
  const queue = from < to ? 0 : 1;
  const used = async () =>
    Number(((await vm.balloon.queueStatus({ queue })) as JsonObject)["used-idx"]);
  for (let left = TRIES; left > 0; left--) {
    await inflateTo(vm, from);
    const before = await used();
    await vm.balloon.setTarget({ pages: to });
    // A stop at once mostly comes before the guest has begun.
    await expect.poll(() => sizeOf(vm), { timeout: BOOT_MS, interval: 1 }).not.toBe(from);
    await vm.pause();
    const { actualPages } = await vm.balloon.query();
    const counted = Math.abs(actualPages - from);
    const answered = ((await used()) - before) & 0xffff;
    const isAmid = counted > 0 && actualPages !== to && answered * pagesPerBuffer > counted;
    if (isAmid) return actualPages;
    await vm.resume();
  }
  throw new Error(`no stop of ${TRIES} came in the middle`);
}
