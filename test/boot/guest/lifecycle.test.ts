/**
 * A balloon that comes and goes while the guest runs, and a guest that is stopped, reset, put to
 * sleep or switched off amid its work, on QEMU. One test looks at how v86 counts.
 *
 * Whatever happens to the device, the workload stays whole.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { plugBalloon, unplugBalloon } from "../../../src/vmm/qemu/hotplug.ts";
import type { LaunchQemuOptions, QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import {
  ARCHITECTURES,
  allocate,
  ask,
  BOOT_MS,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  pressPowerButton,
  qemuGuest,
  ready,
  sizeOf,
  statusOf,
  useGuests,
  v86Guest,
  verifyAll,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";

useGuests();

const memoryBytes = 128 * MIB;
const PAGES = 80 * PAGES_PER_MIB;
const OWN = 8 * PAGES_PER_MIB;
/** So slow that there is ample time between the first page and the last one. */
const PACE = { name: "gentle", options: { pagesPerSecond: 6000 } };
const SOON = { timeout: BOOT_MS, interval: 20 };

interface Place {
  readonly name: string;
  readonly options: Pick<LaunchQemuOptions, "arch" | "machine" | "rootPorts" | "balloon">;
  /** Where another balloon is plugged in. */
  readonly bus: string;
  readonly qemu10?: boolean;
}

const q35 = {
  machine: "q35",
  rootPorts: ["rp0", "rp1"],
  balloon: { properties: { bus: "rp1" } },
} as const;

const PLACES: readonly Place[] = [
  ...ARCHITECTURES.flatMap((arch): Place[] => [
    { name: `${arch} pc`, options: { arch, machine: "pc" }, bus: "pci.0" },
    { name: `${arch} q35`, options: { arch, ...q35 }, bus: "rp0" },
  ]),
  {
    name: "x86_64 q35, QEMU 10, with messages",
    options: { arch: "x86_64", ...q35 },
    bus: "rp0",
    qemu10: true,
  },
];

async function guestAt(
  context: TestContext,
  place: Place,
  more: Partial<LaunchQemuOptions> & { readonly untilReady?: boolean } = {},
): Promise<QemuVmm> {
  const { options, qemu10 } = place;
  const program = qemu10 ? { binary: qemu10OrSkip(context, options.arch) } : {};
  return qemuGuest(context, { ...options, ...program, memoryBytes, ...more });
}

/**
 * Frames that are neither the kernel's nor the workload's, wherever they are; the engine's heap
 * grows by frames of the ledger, which are its own afterwards.
 */
async function spareFrames(vm: QemuVmm): Promise<number> {
  const { frames, workloadFrames } = await statusOf(vm);
  const { free, held, inflating, deflating, used } = frames;
  return free + held + inflating + deflating + used - workloadFrames;
}

/** Every frame is the guest's, and there are as many as there were. */
async function hasAllBack(vm: QemuVmm, spare: number): Promise<void> {
  const { held, inflating, deflating } = (await statusOf(vm)).frames;
  expect({ held, inflating, deflating }).toEqual({ held: 0, inflating: 0, deflating: 0 });
  expect(await spareFrames(vm)).toBe(spare);
}

async function isWhole(vm: QemuVmm): Promise<void> {
  expect(await verifyAll(vm)).toEqual({ bytes: OWN * 4096, mismatches: 0 });
}

async function hasNoDevice(vm: QemuVmm): Promise<void> {
  await expect(vm.execute({ command: "query-balloon" })).rejects.toMatchObject({
    errorClass: "DeviceNotActive",
  });
}

describe.each(PLACES)("$name", (place) => {
  const { bus } = place;

  it("is unplugged full and plugged in again, time after time", async (context) => {
    const vm = await guestAt(context, place);
    await allocate(vm, OWN, 1);
    const spare = await spareFrames(vm);
    for (const pages of [PAGES, 1000, PAGES]) {
      await inflateTo(vm, pages);
      await unplugBalloon({ vmm: vm, timeoutMs: BOOT_MS });
      await hasNoDevice(vm);
      const { state, transport, lastError } = await statusOf(vm);
      expect({ state, transport, lastError }).toEqual({ state: "gone", transport: "none" });
      await hasAllBack(vm, spare);
      await isWhole(vm);
      const from = vm.log.nextNumber;
      // One with hints, which QEMU gives a thread of its own.
      await plugBalloon({ vmm: vm, bus, balloon: { freePageHint: true } });
      await ready(vm, from);
      await inflateTo(vm, pages + 1);
      const { interrupts, negotiated } = await statusOf(vm);
      expect(interrupts).toBe(place.qemu10 ? "msix" : "line");
      expect(negotiated.split(" ")).toContain("FREE_PAGE_HINT");
      await isWhole(vm);
    }
    await inflateTo(vm, 0);
    expect(await spareFrames(vm)).toBe(spare);
  });

  it("is plugged into a guest that waits for it", async (context) => {
    const vm = await guestAt(context, place, {
      balloon: false,
      append: "ballonet.wait-for-device=yes",
      untilReady: false,
    });
    await vm.log.waitForLine({ pattern: /^ballonet: waiting/, timeoutMs: BOOT_MS });
    await allocate(vm, OWN, 2);
    expect((await statusOf(vm)).state).toBe("gone");
    await ask(vm, "reserve.set", { pages: 300 });
    const from = vm.log.nextNumber;
    await plugBalloon({ vmm: vm, bus });
    await ready(vm, from);
    await inflateTo(vm, PAGES);
    expect(await statusOf(vm)).toMatchObject({ state: "running", reservePages: 300 });
    await isWhole(vm);
  });

  it("is unplugged amid an inflate", async (context) => {
    const vm = await guestAt(context, place);
    await allocate(vm, OWN, 3);
    const spare = await spareFrames(vm);
    await ask(vm, "policy.set", PACE);
    await vm.balloon.setTarget({ pages: PAGES });
    await expect.poll(() => sizeOf(vm), SOON).toBeGreaterThan(0);
    await unplugBalloon({ vmm: vm, timeoutMs: BOOT_MS });
    const { state, totals, policy } = await statusOf(vm);
    expect({ state, policy }).toEqual({ state: "gone", policy: "gentle" });
    await hasAllBack(vm, spare);
    expect(totals.inflated).toBeLessThan(PAGES);
    expect(totals.deflated).toBe(0);
    await isWhole(vm);
  });
});

it("what leaves another slot of the same number is let go, and the balloon stays", async (context) => {
  const rng = ["-device", "virtio-rng-pci,id=rng0,bus=rp0"];
  const vm = await guestAt(context, PLACES[3] as Place, { extraArgs: rng });
  await allocate(vm, OWN, 4);
  await inflateTo(vm, PAGES);
  await vm.executeUntil({
    command: "device_del",
    args: { id: "rng0" },
    event: "DEVICE_DELETED",
    accept: ({ payload }) => payload.device === "rng0",
    timeoutMs: BOOT_MS,
  });
  await vm.balloon.waitForActual({ pages: PAGES, timeoutMs: BOOT_MS });
  await expect.poll(async () => (await statusOf(vm)).actualPages, SOON).toBe(PAGES);
  await isWhole(vm);
  await inflateTo(vm, 5);
});

describe.each(ARCHITECTURES)("%s", (arch) => {
  const place: Place = { name: arch, options: { arch, machine: "pc" }, bus: "pci.0" };

  /** A guest whose balloon is somewhere between empty and full. */
  async function amidInflate(context: TestContext): Promise<QemuVmm> {
    const vm = await guestAt(context, place);
    await allocate(vm, OWN, 5);
    await ask(vm, "policy.set", PACE);
    await vm.balloon.setTarget({ pages: PAGES });
    await expect.poll(() => sizeOf(vm), SOON).toBeGreaterThan(0);
    return vm;
  }

  it("stop and cont amid an inflate: it goes on where it was", async (context) => {
    const vm = await amidInflate(context);
    for (let round = 0; round < 3; round++) {
      await vm.pause();
      const { actualPages } = await vm.balloon.query();
      expect(actualPages).toBeLessThan(PAGES);
      expect(await sizeOf(vm)).toBe(actualPages);
      await vm.resume();
      const next = () => sizeOf(vm);
      await expect.poll(next, SOON).toBeGreaterThan(actualPages);
    }
    await vm.balloon.waitForActual({ pages: PAGES, timeoutMs: BOOT_MS });
    await isWhole(vm);
  });

  it("a reset amid an inflate: the next guest has the same target, and all is right", async (context) => {
    const vm = await amidInflate(context);
    expect(await sizeOf(vm)).toBeLessThan(PAGES);
    const from = vm.log.nextNumber;
    await vm.reset();
    await ready(vm, from);
    await allocate(vm, OWN, 6);
    await vm.balloon.waitForActual({ pages: PAGES, timeoutMs: BOOT_MS });
    await expect.poll(async () => (await statusOf(vm)).actualPages, SOON).toBe(PAGES);
    const { targetPages, frames, restarts } = await statusOf(vm);
    expect({ targetPages, held: frames.held, restarts }).toEqual({
      targetPages: PAGES,
      held: PAGES,
      restarts: 0,
    });
    const { tags } = await vm.balloon.statistics({ timeoutMs: BOOT_MS });
    const { frames: then } = await statusOf(vm);
    expect(Number(tags.totalMemory)).toBe((then.free + then.used) * 4096);
    await isWhole(vm);
  });

  it("suspend gives everything back, and resume returns to the target", async (context) => {
    const vm = await guestAt(context, place);
    await allocate(vm, OWN, 7);
    const spare = await spareFrames(vm);
    await ask(vm, "reserve.set", { pages: 400 });
    await inflateTo(vm, PAGES);
    expect(await ask(vm, "suspend")).toEqual({ state: "suspended" });
    expect((await vm.balloon.negotiated()).status).toBe(0);
    const asleep = await statusOf(vm);
    expect(asleep).toMatchObject({ state: "suspended", actualPages: 0, totals: { deflated: 0 } });
    await hasAllBack(vm, spare);
    // All of it is the guest's, and good.
    const handle = await allocate(vm, asleep.frames.free - 1000, 8);
    expect((await verifyAll(vm)).mismatches).toBe(0);
    await ask(vm, "workload.free", { handle });
    await vm.balloon.setTarget({ pages: PAGES - 77 });
    expect(await ask(vm, "resume")).toEqual({ state: "running" });
    await vm.balloon.waitForActual({ pages: PAGES - 77, timeoutMs: BOOT_MS });
    await expect.poll(async () => (await statusOf(vm)).frames.held, SOON).toBe(PAGES - 77);
    expect(await statusOf(vm)).toMatchObject({ reservePages: 400, restarts: 0 });
    await isWhole(vm);
  });

  it("the power button ends it at once: a full balloon is not drained", async (context) => {
    const folder = await mkdtemp(join(tmpdir(), "ballonet-"));
    context.onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const trace = join(folder, "trace");
    const events = ["-D", trace, "-trace", "virtio_queue_notify", "-trace", "virtio_set_status"];
    const vm = await guestAt(context, place, { extraArgs: events });
    await inflateTo(vm, PAGES);
    await pressPowerButton(vm);
    expect(await vm.exited).toMatchObject({ reason: "guest", guestExitCode: 0 });
    expect(vm.log.tail()).toContain("ballonet: switched off by the power button");
    const lines = (await readFile(trace, "utf8")).split("\n");
    const notified = (queue: number) =>
      lines.filter(
        (line) => line.startsWith("virtio_queue_notify") && line.includes(` n ${queue} `),
      );
    expect(notified(0).length).toBeGreaterThan(0);
    expect(notified(1)).toEqual([]);
    const statuses = lines.filter((line) => line.startsWith("virtio_set_status"));
    expect(statuses.at(-1)).toMatch(/ val 0$/);
  });
});

it("v86: what the host counts begins anew when the guest resets its device", async (context) => {
  const vm = await v86Guest(context, { memoryBytes: 64 * MIB });
  await inflateTo(vm, 5000);
  expect(await ask(vm, "suspend")).toEqual({ state: "suspended" });
  expect((await vm.balloon.query()).actualPages).toBe(0);
  await vm.balloon.setTarget({ pages: 3000 });
  expect(await ask(vm, "resume")).toEqual({ state: "running" });
  await inflateTo(vm, 3000);
  await inflateTo(vm, 0);
});
