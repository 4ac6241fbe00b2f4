/**
 * The real guest on QEMU's own balloon: both architectures, both kinds of PC, small and large
 * memory.
 *
 * After every step the workload has verified every byte it owns, so a page that was given away
 * while in use does not go unseen.
 */
import { describe, expect, it } from "vitest";
import { formatFeatures } from "../../../runtime/balloon/features.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import type { StatisticName } from "../../../src/vmm/vmm.ts";
import {
  allocate,
  ask,
  GIB,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  QEMU_PLACES,
  qemuGuest,
  statusOf,
  useGuests,
  verifyAll,
} from "../../support/guests.ts";

useGuests();

/** virtio 1.3, 2.1: ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK. */
const AT_WORK = 1 | 2 | 4 | 8;
const PAGE = 4096;
/** The first frame that 32 bits of address do not reach. */
const FRAME_4GIB = 0x10_0000;
/**
 * NOTIFY_ON_EMPTY, ANY_LAYOUT and UNUSED (virtio 1.3, 6.3): a modern interface does not show
 * them.
 */
const LEGACY_ONLY = (1n << 24n) | (1n << 27n) | (1n << 30n);
/** The engine's heap may grow by so much during a test. */
const SLACK = MIB;

interface Size {
  readonly name: string;
  readonly memoryMiB: number;
  /** Sizes of the balloon in MiB, one after the other. */
  readonly targetsMiB: readonly number[];
  readonly workloadMiB: number;
}

const SIZES: readonly Size[] = [
  { name: "32 MiB", memoryMiB: 32, targetsMiB: [8, 18, 3, 16, 0], workloadMiB: 2 },
  { name: "256 MiB", memoryMiB: 256, targetsMiB: [128, 220, 64, 201, 0], workloadMiB: 8 },
  { name: "3 GiB", memoryMiB: 3072, targetsMiB: [1024, 3000, 1, 2048, 0], workloadMiB: 16 },
  { name: "6 GiB", memoryMiB: 6144, targetsMiB: [1024, 6000, 1, 4500, 0], workloadMiB: 16 },
];

/** From 2.75 GiB up, q35 puts only 2 GiB below 4 GiB, and i386 does not see what lies above. */
const Q35_LOW_MIB = 2048;

/** Workload, image and some room. */
const REST_MIB = 40;

const CASES = QEMU_PLACES.flatMap((place) => {
  const sizes = SIZES.filter(({ memoryMiB }) => place.arch === "x86_64" || memoryMiB <= 4096);
  return sizes.map(({ targetsMiB, ...size }) => {
    const split = place.arch === "i386" && place.machine === "q35" && size.memoryMiB > 2816;
    const visibleMiB = split ? Q35_LOW_MIB : size.memoryMiB;
    const reachable = (mebibytes: number) =>
      split ? Math.min(mebibytes, visibleMiB - REST_MIB) : mebibytes;
    return { ...place, ...size, visibleMiB, targetsMiB: targetsMiB.map(reachable) };
  });
});

function near(most: number, seen: number): void {
  expect(seen).toBeLessThanOrEqual(most);
  expect(seen).toBeGreaterThan(most - SLACK);
}

async function statistic(vm: QemuVmm): Promise<(name: StatisticName) => number> {
  const { tags } = await vm.balloon.statistics({ timeoutMs: 60_000 });
  return (name) => Number(tags[name]);
}

describe.each(CASES)("$arch $machine with $name", ({ arch, machine, ...size }) => {
  it("reaches every target, up and down, with its workload intact", async (context) => {
    const memoryBytes = size.memoryMiB * MIB;
    const vm = await qemuGuest(context, { arch, machine, memoryBytes });
    const frames = size.workloadMiB * PAGES_PER_MIB;
    await allocate(vm, frames, 1);
    for (const [step, targetMiB] of size.targetsMiB.entries()) {
      const pages = targetMiB * PAGES_PER_MIB + step;
      await inflateTo(vm, pages);
      const { targetPages, actualPages, frames: counts } = await statusOf(vm);
      expect({ targetPages, actualPages, held: counts.held }).toEqual({
        targetPages: pages,
        actualPages: pages,
        held: pages,
      });
      const again = await allocate(vm, 16, 2 + step);
      const bytes = (frames + 16) * PAGE;
      expect(await verifyAll(vm)).toEqual({ bytes, mismatches: 0 });
      await ask(vm, "workload.free", { handle: again });
    }
    expect(vm.log.lines.filter((line) => line.includes("error"))).toEqual([]);
  });

  it("agrees with QEMU on what was negotiated", async (context) => {
    const vm = await qemuGuest(context, { arch, machine, memoryBytes: size.memoryMiB * MIB });
    const { offered, accepted, status } = await vm.balloon.negotiated();
    const said = await statusOf(vm);
    expect(said.negotiated).toBe(formatFeatures(accepted));
    expect(said.offered).toBe(formatFeatures(offered & ~LEGACY_ONLY));
    expect(status).toBe(AT_WORK);
    expect(accepted & ~offered).toBe(0n);
    for (const { index, size: entries } of said.queues) {
      const queue = await vm.balloon.queueStatus({ queue: index });
      expect(queue).toMatchObject({ "vring-num": entries });
    }
    expect(said.queues.map(({ role }) => role)).toEqual(["inflateq", "deflateq", "statsq"]);
  });

  // Concurrent, because most of it is waiting: QEMU asks for statistics once a second.
  it.concurrent("sends statistics that move with workload and balloon", async (context) => {
    const memoryBytes = size.memoryMiB * MIB;
    const vm = await qemuGuest(context, { arch, machine, memoryBytes });
    const first = await statistic(vm);
    const visibleBytes = size.visibleMiB * MIB;
    expect(first("totalMemory")).toBeLessThan(visibleBytes);
    expect(first("totalMemory")).toBeGreaterThan(visibleBytes - 16 * MIB);
    expect(first("freeMemory")).toBeLessThanOrEqual(first("totalMemory"));
    expect(first("availableMemory")).toBe(first("freeMemory"));
    expect([first("swapIn"), first("diskCaches"), first("majorFaults")]).toEqual([0, 0, 0]);

    const frames = size.workloadMiB * PAGES_PER_MIB;
    const handle = await allocate(vm, frames, 7);
    const working = await statistic(vm);
    expect(working("totalMemory")).toBe(first("totalMemory"));
    near(first("freeMemory") - frames * PAGE, working("freeMemory"));

    const pages = 8 * PAGES_PER_MIB;
    await inflateTo(vm, pages);
    const inflated = await statistic(vm);
    expect(inflated("totalMemory")).toBe(first("totalMemory") - pages * PAGE);
    near(working("freeMemory") - pages * PAGE, inflated("freeMemory"));

    await ask(vm, "workload.free", { handle });
    await inflateTo(vm, 0);
    const last = await statistic(vm);
    expect(last("totalMemory")).toBe(first("totalMemory"));
    near(first("freeMemory"), last("freeMemory"));
  });
});

it("x86_64: workload and balloon use frames above 4 GiB", async (context) => {
  const vm = await qemuGuest(context, {
    arch: "x86_64",
    machine: "q35",
    memoryBytes: 6 * GIB,
    // So little lies below that the workload cannot do without what is above.
    extraArgs: ["-machine", "max-ram-below-4g=64M"],
  });
  const frames = 96 * PAGES_PER_MIB;
  await allocate(vm, frames, 3);
  const framesAbove = (state: number) =>
    ask(vm, "evaluate", {
      script: `(() => {
        let count = 0;
        const end = machine.core.ledger_frames();
        for (let frame = ${FRAME_4GIB}; frame < end; frame += 16) {
          if (machine.core.ledger_uniform(frame, 16, ${state})) count += 16;
        }
        return count;
      })()`,
    });
  expect(await framesAbove(1)).toBeGreaterThan(32 * PAGES_PER_MIB);
  for (const pages of [5500, 100, 5900].map((mebibytes) => mebibytes * PAGES_PER_MIB)) {
    await inflateTo(vm, pages);
    expect(await framesAbove(4)).toBeGreaterThan(pages - 64 * PAGES_PER_MIB);
    expect(await verifyAll(vm)).toEqual({ bytes: frames * PAGE, mismatches: 0 });
  }
});

it("i386 leaves alone what lies above 4 GiB", async (context) => {
  const vm = await qemuGuest(context, { arch: "i386", machine: "q35", memoryBytes: 6 * GIB });
  const { frames } = await statusOf(vm);
  const known = Object.values(frames).reduce((sum, count) => sum + count, 0);
  expect(known).toBeLessThanOrEqual(FRAME_4GIB);
  expect(frames.free).toBeGreaterThan(2000 * PAGES_PER_MIB);
  await inflateTo(vm, 2000 * PAGES_PER_MIB);
  await allocate(vm, 8 * PAGES_PER_MIB, 5);
  expect((await verifyAll(vm)).mismatches).toBe(0);
});
