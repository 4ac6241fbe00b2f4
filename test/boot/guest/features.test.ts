/**
 * Every transport, ring and balloon feature that QEMU and v86 can offer, used by the real guest.
 *
 * Whatever the device offers, targets are reached and the workload stays whole.
 */
import { describe, expect, it } from "vitest";
import type { LaunchQemuOptions } from "../../../src/vmm/qemu/qemu.ts";
import {
  ARCHITECTURES,
  allocate,
  ask,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  qemuGuest,
  sizeOf,
  statusOf,
  until,
  useGuests,
  v86Guest,
  verifyAll,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";

useGuests();

const memoryBytes = 128 * MIB;
const PAGES = 40 * PAGES_PER_MIB;

interface Row {
  readonly name: string;
  readonly machine: "pc" | "q35" | "microvm";
  readonly balloon?: Exclude<LaunchQemuOptions["balloon"], boolean | undefined>;
  readonly append?: string;
  readonly transport: RegExp;
  readonly has?: readonly string[];
  readonly lacks?: readonly string[];
}

const ROWS: readonly Row[] = [
  {
    name: "modern only",
    machine: "q35",
    balloon: { disableLegacy: true },
    transport: /^modern PCI/,
    has: ["VERSION_1", "EVENT_IDX", "INDIRECT_DESC", "RING_RESET"],
    lacks: ["RING_PACKED", "ANY_LAYOUT"],
  },
  { name: "transitional", machine: "pc", balloon: {}, transport: /^modern PCI/ },
  {
    name: "legacy only",
    machine: "pc",
    balloon: { disableModern: true },
    transport: /^legacy PCI/,
    has: ["ANY_LAYOUT"],
    lacks: ["VERSION_1"],
  },
  {
    name: "transitional, by its legacy interface",
    machine: "q35",
    append: "ballonet.interface=legacy",
    transport: /^legacy PCI/,
    has: ["ANY_LAYOUT"],
    lacks: ["VERSION_1"],
  },
  {
    name: "packed rings",
    machine: "q35",
    balloon: { packed: true, disableLegacy: true },
    transport: /^modern PCI/,
    has: ["RING_PACKED", "EVENT_IDX"],
  },
  {
    name: "packed rings without EVENT_IDX",
    machine: "pc",
    balloon: { packed: true, disableLegacy: true, eventIdx: false },
    transport: /^modern PCI/,
    has: ["RING_PACKED"],
    lacks: ["EVENT_IDX"],
  },
  {
    name: "plain split rings",
    machine: "q35",
    balloon: { eventIdx: false, indirectDesc: false },
    transport: /^modern PCI/,
    lacks: ["EVENT_IDX", "INDIRECT_DESC", "RING_PACKED"],
  },
  {
    name: "no queue reset, a page for each queue's notifications",
    machine: "q35",
    balloon: { disableLegacy: true, properties: { queue_reset: "off", "page-per-vq": "on" } },
    transport: /^modern PCI/,
    lacks: ["RING_RESET"],
  },
  {
    name: "behind a platform's address translation",
    machine: "q35",
    balloon: { iommuPlatform: true, disableLegacy: true },
    transport: /^modern PCI/,
    has: ["ACCESS_PLATFORM"],
  },
  {
    name: "polling",
    machine: "q35",
    append: "ballonet.interrupts=polling",
    transport: /^modern PCI/,
  },
  { name: "MMIO", machine: "microvm", transport: /^MMIO/, has: ["VERSION_1"] },
  {
    name: "legacy MMIO",
    machine: "microvm",
    balloon: { disableLegacy: false },
    transport: /^legacy MMIO/,
    has: ["ANY_LAYOUT"],
    lacks: ["VERSION_1"],
  },
];

const PLACES = ARCHITECTURES.flatMap((arch) => [
  { arch, version: "as installed" },
  { arch, version: "10" },
]);

describe.each(PLACES)("qemu $arch, version $version", ({ arch, version }) => {
  for (const row of ROWS)
    it(row.name, async (context) => {
      const { machine, balloon = true, append = "" } = row;
      const program = version === "10" ? { binary: qemu10OrSkip(context, arch) } : {};
      const guest = { arch, machine, memoryBytes, balloon, append, ...program };
      const vm = await qemuGuest(context, guest);
      await allocate(vm, 8 * PAGES_PER_MIB, 1);
      for (const pages of [PAGES, 513, 0]) await inflateTo(vm, pages);
      expect(await verifyAll(vm)).toEqual({ bytes: 8 * MIB, mismatches: 0 });
      const { transport, negotiated, state } = await statusOf(vm);
      expect(state).toBe("running");
      expect(transport).toMatch(row.transport);
      const features = negotiated.split(" ");
      for (const feature of row.has ?? []) expect(features).toContain(feature);
      for (const feature of row.lacks ?? []) expect(features).not.toContain(feature);
    });
});

describe("page reporting", () => {
  it("gives memory back without a balloon, and what is in use stays whole", async (context) => {
    const large = 512 * MIB;
    const balloon = { freePageReporting: true };
    const vm = await qemuGuest(context, {
      arch: "x86_64",
      machine: "q35",
      memoryBytes: large,
      balloon,
      preallocate: true,
      append: "ballonet.policy=report-only",
    });
    await allocate(vm, 32 * PAGES_PER_MIB, 5);
    const kept = 32 * MIB + 64 * MIB;
    await until(async () => ((await vm.residentBytes()) ?? large) < large - 2 * kept);
    expect((await statusOf(vm)).actualPages).toBe(0);
    expect((await statusOf(vm)).totals.reported).toBeGreaterThan(400 * PAGES_PER_MIB);
    expect((await verifyAll(vm)).mismatches).toBe(0);
    // What was reported is as good as any memory.
    const handle = await allocate(vm, 200 * PAGES_PER_MIB, 6);
    const grown = (await vm.residentBytes()) ?? 0;
    expect((await verifyAll(vm)).mismatches).toBe(0);
    await ask(vm, "workload.free", { handle });
    await until(async () => ((await vm.residentBytes()) ?? large) < grown - 150 * MIB);
    expect((await verifyAll(vm)).mismatches).toBe(0);
  });
});

describe("deflate on OOM", () => {
  const frames = 60 * PAGES_PER_MIB;

  it("with it, a workload that outgrows memory gets it back from the balloon", async (context) => {
    const balloon = { deflateOnOom: true };
    const vm = await qemuGuest(context, { arch: "x86_64", machine: "q35", memoryBytes, balloon });
    await allocate(vm, 8 * PAGES_PER_MIB, 1);
    await inflateTo(vm, 90 * PAGES_PER_MIB);
    await allocate(vm, frames, 2);
    expect(await verifyAll(vm)).toEqual({ bytes: 68 * MIB, mismatches: 0 });
    const { actualPages } = await vm.balloon.query();
    expect(actualPages).toBeLessThan(60 * PAGES_PER_MIB);
  });

  it("without it, the allocation fails and nothing else does", async (context) => {
    const vm = await qemuGuest(context, { arch: "x86_64", machine: "q35", memoryBytes });
    await allocate(vm, 8 * PAGES_PER_MIB, 1);
    await inflateTo(vm, 90 * PAGES_PER_MIB);
    await expect(allocate(vm, frames, 2)).rejects.toThrow(/not enough free memory/);
    expect(await sizeOf(vm)).toBe(90 * PAGES_PER_MIB);
    expect(await verifyAll(vm)).toEqual({ bytes: 8 * MIB, mismatches: 0 });
    await inflateTo(vm, 0);
    await allocate(vm, frames, 2);
    expect((await verifyAll(vm)).mismatches).toBe(0);
  });
});

describe("page poison", () => {
  for (const pagePoison of [true, false]) {
    it(pagePoison ? "offered" : "not offered", async (context) => {
      const vm = await qemuGuest(context, {
        arch: "x86_64",
        machine: "q35",
        memoryBytes,
        balloon: { pagePoison },
        append: "ballonet.poison=2863311530",
      });
      await allocate(vm, 8 * PAGES_PER_MIB, 1);
      for (const pages of [PAGES, 0]) await inflateTo(vm, pages);
      expect((await statusOf(vm)).negotiated.includes("PAGE_POISON")).toBe(pagePoison);
      expect((await verifyAll(vm)).mismatches).toBe(0);
    });
  }
});

describe("hinting on v86", () => {
  it("makes the saved state smaller, in every run of a boot", async (context) => {
    const vm = await v86Guest(context, { memoryBytes: 64 * MIB });
    const handle = await allocate(vm, 30 * PAGES_PER_MIB, 3);
    await ask(vm, "workload.free", { handle });
    const before = (await vm.snapshots.save()).byteLength;
    const { hintedBytes } = await vm.balloon.hint();
    expect(hintedBytes).toBeGreaterThan(30 * MIB);
    const after = (await vm.snapshots.save()).byteLength;
    expect(before - after).toBeGreaterThan(20 * MIB);
    // v86 names every run alike: until the guest has seen the end of one, it cannot tell the next.
    await until(async () => (await statusOf(vm)).hintRun === undefined);
    expect((await vm.balloon.hint()).hintedBytes).toBeGreaterThan(30 * MIB);
    await until(async () => (await statusOf(vm)).hintRun === undefined);
    await allocate(vm, 30 * PAGES_PER_MIB, 4);
    expect((await verifyAll(vm)).mismatches).toBe(0);
  });
});
