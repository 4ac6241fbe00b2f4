/**
 * Free page hinting during a real live migration: what the guest does not need is not sent.
 *
 * A hinted page is nobody's until the host is done, and then as good as any.
 */
import { describe, expect, it, type TestContext } from "vitest";
import { migrate } from "../../../src/vmm/qemu/migration.ts";
import type { MigrationProgress } from "../../../src/vmm/qemu/migration-progress.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import {
  allocate,
  ask,
  BOOT_MS,
  MIB,
  PAGES_PER_MIB,
  qemuGuest,
  statusOf,
  useGuests,
  verifyAll,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";
import {
  destinationOf,
  expectAtWork,
  expectPagesBack,
  type MachineOptions,
} from "../support/migrations.ts";

useGuests();

const memoryBytes = 256 * MIB;
const WORKLOAD_MIB = 16;
/** Written, and free again: without a hint, QEMU cannot know that nobody wants it. */
const GARBAGE_MIB = 160;
/** What the hints must save at least: a little of it may be sent before they are there. */
const SAVED_BYTES = (GARBAGE_MIB - 16) * MIB;
const SOON = { timeout: BOOT_MS, interval: 10 };
/** QEMU numbers its queues by what it offers: inflate, deflate, statistics, hints. */
const HINT_QUEUE = 3;
/** Bytes a second: so slow that hints are there first, and so fast that it is over soon. */
const SLOW = { "max-bandwidth": MIB / 8 };
const FAST = { "max-bandwidth": 1024 * MIB };

async function dirty(vm: QemuVmm, seed: number): Promise<void> {
  const handle = await allocate(vm, GARBAGE_MIB * PAGES_PER_MIB, seed);
  expect((await verifyAll(vm)).mismatches).toBe(0);
  await ask(vm, "workload.free", { handle });
}

/** Nothing is left to hint, and QEMU has taken it all. */
async function allHinted(vm: QemuVmm): Promise<boolean> {
  const { frames, reservePages } = await statusOf(vm);
  const queue = await vm.balloon.queueStatus({ queue: HINT_QUEUE });
  const taken = queue["used-idx"] === queue["shadow-avail-idx"];
  return taken && frames.hinted > GARBAGE_MIB * PAGES_PER_MIB && frames.free <= reservePages;
}

/** Moves the guest, and while it has hinted all there is, does `meanwhile`. */
async function moveHinted(
  source: QemuVmm,
  destination: QemuVmm,
  meanwhile: () => Promise<void>,
): Promise<MigrationProgress> {
  const moving = migrate({ source, destination, parameters: SLOW, isStill: false });
  const hinted = (async () => {
    await expect.poll(() => allHinted(source), SOON).toBe(true);
    await meanwhile();
    await source.execute({ command: "migrate-set-parameters", args: FAST });
  })();
  const [result] = await Promise.all([moving, hinted]);
  return result;
}

async function begun(context: TestContext, options: MachineOptions): Promise<QemuVmm> {
  const vm = await qemuGuest(context, options);
  await allocate(vm, WORKLOAD_MIB * PAGES_PER_MIB, 1);
  await dirty(vm, 2);
  return vm;
}

interface Row {
  readonly name: string;
  readonly arch: "i386" | "x86_64";
  readonly machine: NonNullable<MachineOptions["machine"]>;
  readonly isNew: boolean;
  readonly interrupts: "msix" | "line";
  readonly balloon?: { readonly packed: boolean };
}

const ROWS: readonly Row[] = [
  { name: "QEMU 10", arch: "x86_64", machine: "q35", isNew: true, interrupts: "msix" },
  {
    name: "QEMU 10, packed rings",
    arch: "x86_64",
    machine: "pc",
    isNew: true,
    interrupts: "msix",
    balloon: { packed: true },
  },
  { name: "QEMU 10", arch: "i386", machine: "pc", isNew: true, interrupts: "msix" },
  { name: "QEMU 10", arch: "x86_64", machine: "pc-q35-7.2", isNew: true, interrupts: "line" },
  {
    name: "system's QEMU",
    arch: "x86_64",
    machine: "pc-q35-7.2",
    isNew: false,
    interrupts: "line",
  },
  { name: "system's QEMU", arch: "x86_64", machine: "microvm", isNew: false, interrupts: "line" },
];

describe.each(ROWS)("$name, $arch $machine", ({ arch, machine, isNew, interrupts, balloon }) => {
  const optionsFor = (context: TestContext, freePageHint: boolean): MachineOptions => ({
    arch,
    machine,
    memoryBytes,
    balloon: { ...balloon, freePageHint },
    ...(isNew && { binary: qemu10OrSkip(context, arch) }),
  });

  it("free memory is not sent, twice in a row, and the guest stays whole", async (context) => {
    const bare = optionsFor(context, false);
    const plain = await begun(context, bare);
    const all = await migrate({ source: plain, destination: await destinationOf(context, bare) });
    await plain.kill();
    expect(all.transferredBytes).toBeGreaterThan((WORKLOAD_MIB + GARBAGE_MIB) * MIB);

    const options = optionsFor(context, true);
    let vm = await begun(context, options);
    expect((await statusOf(vm)).interrupts).toBe(interrupts);
    for (let round = 0; round < 2; round++) {
      const destination = await destinationOf(context, options);
      const few = await moveHinted(vm, destination, async () => {});
      await vm.kill();
      vm = destination;
      expect(all.transferredBytes - few.transferredBytes).toBeGreaterThan(SAVED_BYTES);
      expect(few.transferredBytes).toBeGreaterThan(WORKLOAD_MIB * MIB);
      await expectPagesBack(vm);
      // All that was hinted is written and verified.
      await dirty(vm, 3 + round);
      await expectAtWork(vm, [100 * PAGES_PER_MIB, 0]);
    }
    expect(await verifyAll(vm)).toEqual({ bytes: WORKLOAD_MIB * MIB, mismatches: 0 });
  });
});

it("hinted pages are nobody's until the host is done", async (context) => {
  const binary = qemu10OrSkip(context, "x86_64");
  const balloon = { freePageHint: true };
  const options = { arch: "x86_64", machine: "q35", memoryBytes, balloon, binary } as const;
  const vm = await begun(context, options);
  const controller = new AbortController();
  const moving = migrate({
    source: vm,
    destination: await destinationOf(context, options),
    parameters: SLOW,
    signal: controller.signal,
  });
  const reason = new Error("stay");
  const stayed = expect(moving).rejects.toBe(reason);
  await expect.poll(() => allHinted(vm), SOON).toBe(true);
  await expect(allocate(vm, 8 * PAGES_PER_MIB, 9)).rejects.toThrow(/not enough free memory/);
  const { hinted } = (await statusOf(vm)).frames;
  expect(hinted).toBeGreaterThan(GARBAGE_MIB * PAGES_PER_MIB);
  controller.abort(reason);
  await stayed;
  // Called off, the migration is over for the host, too.
  await expectPagesBack(vm);
  await dirty(vm, 3);
  await expectAtWork(vm, [100 * PAGES_PER_MIB, 0]);
});
