/**
 * How QEMU's balloon interrupts the real guest: by messages, of which QEMU 10's device has as many
 * as it is given, or by its line.
 *
 * The guest polls once an hour unless a test says otherwise, so whatever is done in time, an
 * interrupt brought about.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { formatFeatures } from "../../../runtime/balloon/features.ts";
import type { QemuBalloonOptions, QemuMachine } from "../../../src/vmm/qemu/arguments.ts";
import { plugBalloon, unplugBalloon } from "../../../src/vmm/qemu/hotplug.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import {
  ARCHITECTURES,
  type Arch,
  allocate,
  ask,
  BOOT_MS,
  GIB,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  qemuGuest,
  ready,
  statusOf,
  until,
  useGuests,
  v86Guest,
  verifyAll,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";

useGuests();

const WORKLOAD = { pages: 8 * PAGES_PER_MIB, bytes: 8 * MIB };
const TARGETS = [40 * PAGES_PER_MIB, 513, 0];
/** The vector of the guest's message 0; its interrupt lines from 16 up are its messages. */
const FIRST_VECTOR = 0x30;
/** A message that the guest never asks for. */
const UNHEARD = 14;

/** Inflate, deflate and statistics: what QEMU's balloon has by default. */
const QUEUES = 3;

/** The messages that a device with so many vectors uses: the configuration's, then the queues'. */
function messagesOf(vectors: number): number {
  if (vectors > QUEUES) return 1 + QUEUES;
  return Math.min(vectors, 2);
}

interface GuestOptions {
  readonly arch: Arch;
  readonly machine: QemuMachine;
  readonly vectors?: number;
  readonly memoryBytes?: number;
  readonly balloon?: QemuBalloonOptions;
  readonly append?: string;
}

interface TracedGuest {
  readonly vm: QemuVmm;
  /** How often each message arrived since the machine's start, in QEMU's eyes. */
  arrived(): Promise<number[]>;
}

async function boot(context: TestContext, options: GuestOptions): Promise<TracedGuest> {
  const { arch, machine, vectors, memoryBytes = 128 * MIB, append = "" } = options;
  const binary = qemu10OrSkip(context, arch);
  const folder = await mkdtemp(join(tmpdir(), "interrupts-test-"));
  context.onTestFinished(() => rm(folder, { recursive: true }));
  const trace = join(folder, "trace");
  const properties = vectors === undefined ? {} : { vectors };
  const vm = await qemuGuest(context, {
    arch,
    machine,
    memoryBytes,
    binary,
    balloon: { ...options.balloon, properties },
    append: `ballonet.poll=3600000 ${append}`,
    extraArgs: ["-D", trace, "-trace", "apic_deliver_irq"],
  });
  const arrived = async () => {
    const counts: number[] = [];
    const lines = (await readFile(trace, "utf8")).matchAll(/^apic_deliver_irq .* vector (\d+) /gm);
    for (const [, vector] of lines) {
      const message = Number(vector) - FIRST_VECTOR;
      // Firmware sends others before the guest is there.
      if (message >= 0) counts[message] = (counts[message] ?? 0) + 1;
    }
    return Array.from(counts, (count) => count ?? 0);
  };
  return { vm, arrived };
}

/** The device's ISR status, which only a read by the driver clears. */
async function isrStatus(vm: QemuVmm): Promise<number> {
  const [device] = (await vm.execute({ command: "x-query-virtio" })) as [{ path: string }];
  const command = "x-query-virtio-status";
  const status = await vm.execute({ command, args: { path: device.path } });
  return Number((status as { isr: number }).isr);
}

/** Targets, statistics and the workload; then all that QEMU and guest say about it. */
async function driven(guest: TracedGuest, messages: number): Promise<string> {
  const { vm, arrived } = guest;
  await allocate(vm, WORKLOAD.pages, 1);
  for (const pages of TARGETS) await inflateTo(vm, pages);
  expect((await vm.balloon.statistics({ timeoutMs: BOOT_MS })).tags.totalMemory).toBeDefined();
  expect(await verifyAll(vm)).toEqual({ bytes: WORKLOAD.bytes, mismatches: 0 });

  const status = await statusOf(vm);
  expect(status).toMatchObject({ state: "running", restarts: 0, targetPages: 0, actualPages: 0 });
  expect(status.interrupts).toBe(messages === 0 ? "line" : "msix");
  expect(formatFeatures((await vm.balloon.negotiated()).accepted)).toBe(status.negotiated);
  for (const { index, size } of status.queues) {
    const queue = await vm.balloon.queueStatus({ queue: index });
    expect(queue).toMatchObject({ "vring-num": size });
  }
  const counts = await arrived();
  expect(counts).toHaveLength(messages);
  for (const count of counts) expect(count).toBeGreaterThan(0);
  if (messages > 1) expect(counts[0]).toBeGreaterThanOrEqual(TARGETS.length);
  // Who is told by messages leaves the ISR status alone: it holds all that ever happened.
  await until(async () => (await isrStatus(vm)) === (messages === 0 ? 0 : 3));
  return status.transport;
}

const INTERFACES = [
  { name: "modern", balloon: { disableLegacy: true }, append: "", transport: /^modern/ },
  { name: "transitional", balloon: {}, append: "", transport: /^modern/ },
  {
    name: "transitional, by its legacy interface",
    balloon: {},
    append: "ballonet.interface=legacy",
    transport: /^legacy/,
  },
  { name: "legacy", balloon: { disableModern: true }, append: "", transport: /^legacy/ },
  {
    name: "modern with packed rings",
    balloon: { disableLegacy: true, packed: true },
    append: "",
    transport: /^modern/,
  },
] as const;

// Concurrent, because most of it is waiting: QEMU asks for statistics once a second.
describe.concurrent.each(ARCHITECTURES)("%s", (arch) => {
  for (const machine of ["pc", "q35"] as const)
    it.for(INTERFACES)(`${machine}, $name`, async ({ balloon, append, transport }, context) => {
      const guest = await boot(context, { arch, machine, balloon, append });
      expect(await driven(guest, 2)).toMatch(transport);
    });

  for (const vectors of [0, 1, 2, 3, 4, 8])
    it.for([
      { machine: "q35", name: "modern", balloon: { disableLegacy: true } },
      { machine: "pc", name: "legacy", balloon: { disableModern: true } },
    ] as const)(`${vectors} vectors, $name`, async ({ machine, balloon }, context) => {
      const guest = await boot(context, { arch, machine, vectors, balloon });
      await driven(guest, messagesOf(vectors));
    });

  it.for([
    { machine: "pc-i440fx-10.0", messages: 2 },
    { machine: "pc-q35-10.0", messages: 2 },
    // Balloons of machines before 10.0 have no vectors, unless they are given some.
    { machine: "pc-q35-9.2", messages: 0 },
    { machine: "pc-i440fx-7.2", messages: 0 },
    { machine: "pc-i440fx-7.2", vectors: 2, messages: 2 },
  ] as const)("$machine as it is, $messages messages", async ({ messages, ...row }, context) => {
    await driven(await boot(context, { arch, ...row }), messages);
  });

  it("the line, when it is asked for", async (context) => {
    await driven(
      await boot(context, { arch, machine: "q35", append: "ballonet.interrupts=line" }),
      0,
    );
  });

  it("a guest with more memory than 32 bits reach", async (context) => {
    await driven(await boot(context, { arch, machine: "q35", memoryBytes: 6 * GIB }), 2);
  });

  it("messages go on after a reset of the machine, and after it was stopped", async (context) => {
    const guest = await boot(context, { arch, machine: "q35", vectors: 8 });
    const { vm } = guest;
    await inflateTo(vm, 1000);
    await vm.balloon.setTarget({ pages: 0 });
    const from = vm.log.nextNumber;
    await vm.reset();
    await ready(vm, from);
    await vm.pause();
    await vm.balloon.setTarget({ pages: 2000 });
    await vm.resume();
    await vm.balloon.waitForActual({ pages: 2000, timeoutMs: BOOT_MS });
    await driven(guest, 1 + QUEUES);
  });

  it("a device that is put in anew has its messages to itself again", async (context) => {
    const guest = await boot(context, { arch, machine: "pc", vectors: 8 });
    const { vm } = guest;
    // More often than there are messages for a new set each time.
    for (let times = 0; times < 4; times++) {
      await unplugBalloon({ vmm: vm, timeoutMs: BOOT_MS });
      const from = vm.log.nextNumber;
      await plugBalloon({ vmm: vm, bus: "pci.0", balloon: { properties: { vectors: 8 } } });
      await ready(vm, from);
    }
    await driven(guest, 1 + QUEUES);
  });

  it("messages that nobody sent change nothing", async (context) => {
    const guest = await boot(context, { arch, machine: "pc", vectors: 8 });
    // What the guest's processor writes there, QEMU takes for a message of a device.
    const script = `
      const at = machine.messageAddress();
      for (let vector = ${FIRST_VECTOR}; vector < ${FIRST_VECTOR} + 16; vector++) {
        machine.memoryWrite(at, 4, vector);
      }`;
    for (const pages of [3000, 10, 5000]) {
      await ask(guest.vm, "evaluate", { script });
      await guest.vm.balloon.setTarget({ pages });
      await ask(guest.vm, "evaluate", { script });
      await guest.vm.balloon.waitForActual({ pages, timeoutMs: BOOT_MS });
    }
    expect(await guest.arrived()).toHaveLength(16);
    expect(await statusOf(guest.vm)).toMatchObject({ state: "running", restarts: 0 });
  });

  it("messages that get lost delay the balloon and no more", async (context) => {
    const guest = await boot(context, { arch, machine: "pc", append: "ballonet.poll=50" });
    const { vm, arrived } = guest;
    await allocate(vm, WORKLOAD.pages, 1);
    await inflateTo(vm, 1000);
    const heard = (await arrived()).slice(0, 2);
    await ask(vm, "evaluate", { script: deafen(FIRST_VECTOR + UNHEARD) });
    for (const pages of TARGETS) await inflateTo(vm, pages);
    expect(await verifyAll(vm)).toEqual({ bytes: WORKLOAD.bytes, mismatches: 0 });
    const counts = await arrived();
    expect(counts.slice(0, 2)).toEqual(heard);
    expect(counts[UNHEARD]).toBeGreaterThanOrEqual(TARGETS.length);
    expect(await statusOf(vm)).toMatchObject({ state: "running", interrupts: "msix" });
  });
});

/** A script that makes every message of the balloon's another one, behind its driver's back. */
function deafen(vector: number): string {
  return `
    const read = (slot, at) => {
      machine.portWrite(0xcf8, 4, (0x80000000 + slot * 2048 + (at & 0xfc)) >>> 0);
      return machine.portRead(0xcfc, 4) >>> (8 * (at & 3));
    };
    const BALLOONS = [0x10021af4, 0x10451af4], MSIX = 0x11;
    const slot = [...Array(32).keys()].find((slot) => BALLOONS.includes(read(slot, 0)));
    let at = read(slot, 0x34) & 0xff;
    while ((read(slot, at) & 0xff) !== MSIX) at = read(slot, at + 1) & 0xff;
    const where = read(slot, at + 4);
    const table = (read(slot, 0x10 + 4 * (where & 7)) & ~15) + (where & ~7);
    const entries = (read(slot, at + 2) & 0x7ff) + 1;
    for (let entry = 0; entry < entries; entry++) {
      machine.memoryWrite((table >>> 0) + 16 * entry + 8, 4, ${vector});
    }`;
}

it("v86 has no local APIC, so its guest takes no messages", async (context) => {
  const vm = await v86Guest(context, { memoryBytes: 64 * MIB });
  expect(await ask(vm, "evaluate", { script: "machine.messageAddress()" })).toBe(0);
  await inflateTo(vm, 1000);
  expect((await statusOf(vm)).interrupts).toBe("line");
});

it("v86's guest hears the host when it has suspended a balloon that was moving", async (context) => {
  const vm = await v86Guest(context, { memoryBytes: 64 * MIB });
  // Requests while the balloon moves: lines of both controllers ask at once.
  for (const pages of [100, 1000, 400, 2000]) {
    await vm.balloon.setTarget({ pages });
    for (let round = 0; round < 3; round++) await statusOf(vm);
    await vm.balloon.waitForActual({ pages, timeoutMs: BOOT_MS });
    await statusOf(vm);
  }
  expect(await ask(vm, "suspend")).toEqual({ state: "suspended" });
  // No timer wakes this guest: only the port's own interrupt does.
  expect((await statusOf(vm)).state).toBe("suspended");
});
