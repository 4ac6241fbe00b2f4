/**
 * Live migration between hosts with different features.
 *
 * A guest that was refused goes on at the source as if nobody had ever tried, and one that arrived
 * uses what it negotiated when it came up, no more and no less.
 */
import { describe, expect, it, type TestContext } from "vitest";
import { formatFeatures } from "../../../runtime/balloon/features.ts";
import { featureSet } from "../../../runtime/virtio/features.ts";
import { MigrationError } from "../../../src/vmm/errors.ts";
import type { JsonObject } from "../../../src/vmm/json.ts";
import type { QemuBalloonOptions } from "../../../src/vmm/qemu/arguments.ts";
import { migrate } from "../../../src/vmm/qemu/migration.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import {
  allocate,
  ask,
  BOOT_MS,
  inflateTo,
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
  expectBalloon,
  type MachineOptions,
  move,
  runStateOf,
} from "../support/migrations.ts";

useGuests();

const memoryBytes = 128 * MIB;
const HALF = 64 * PAGES_PER_MIB;
const ROOM = 100 * PAGES_PER_MIB;
const SOON = { timeout: BOOT_MS, interval: 10 };
const WORKLOAD_FRAMES = 8 * PAGES_PER_MIB;

interface Row {
  readonly name: string;
  readonly bit: number;
  readonly has: QemuBalloonOptions;
  readonly lacks: QemuBalloonOptions;
}

const off = (property: string) => ({ properties: { [property]: "off" } });

const ROWS: readonly Row[] = [
  { name: "DEFLATE_ON_OOM", bit: 2, has: { deflateOnOom: true }, lacks: {} },
  { name: "FREE_PAGE_HINT", bit: 3, has: { freePageHint: true }, lacks: {} },
  { name: "PAGE_REPORTING", bit: 5, has: { freePageReporting: true }, lacks: {} },
  { name: "INDIRECT_DESC", bit: 28, has: {}, lacks: { indirectDesc: false } },
  { name: "EVENT_IDX", bit: 29, has: {}, lacks: { eventIdx: false } },
  { name: "RING_PACKED", bit: 34, has: { packed: true }, lacks: {} },
  { name: "RING_RESET", bit: 40, has: {}, lacks: off("queue_reset") },
];

describe.each([
  { arch: "x86_64", rows: ROWS },
  { arch: "i386", rows: ROWS.slice(0, 1) },
] as const)("$arch: a destination without what the guest uses", ({ arch, rows }) => {
  for (const { name, bit, has, lacks } of rows)
    it(`${name}: refuses by its name, and the guest goes on where it was`, async (context) => {
      const options = { arch, machine: "q35", memoryBytes, balloon: has } as const;
      const source = await qemuGuest(context, options);
      await allocate(source, WORKLOAD_FRAMES, 1);
      await inflateTo(source, HALF);
      expect((await statusOf(source)).negotiated.split(" ")).toContain(name);
      const destination = await destinationOf(context, options, { balloon: lacks });

      const error = await migrate({ source, destination }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(MigrationError);
      const { missing, message, destinationSaid, sourceState } = error as MigrationError;
      expect(missing).toBe(featureSet(bit));
      expect(message).toContain(`a guest that uses ${name}, which the destination lacks`);
      const words = /Features (0x\w+) unsupported\. Allowed features: (0x\w+)/.exec(
        destinationSaid,
      );
      expect(BigInt(words?.[1] ?? 0) & featureSet(bit)).toBe(featureSet(bit));
      expect(BigInt(words?.[2] ?? featureSet(bit)) & featureSet(bit)).toBe(0n);
      expect(await destination.exited).toMatchObject({ reason: "failed", code: 1 });

      // Mostly the source has sent all before, and waits for its end.
      expect(sourceState).toMatch(/^(postmigrate|running)$/);
      expect(await runStateOf(source)).toBe("running");
      await expectBalloon(source, HALF);
      await expectAtWork(source, [ROOM, 100, HALF]);
      // It can still leave for a machine like its own.
      await expectAtWork(await move(context, source, options), [HALF, ROOM, 0]);
    });
});

it("a refusal that comes after the source has sent all: it goes on, too", async (context) => {
  const options = {
    arch: "x86_64",
    machine: "pc",
    memoryBytes,
    balloon: { deflateOnOom: true },
  } as const;
  const source = await qemuGuest(context, options);
  await allocate(source, WORKLOAD_FRAMES, 1);
  await inflateTo(source, HALF);
  const destination = await destinationOf(context, options, { balloon: {} });
  const status = async () =>
    ((await source.execute({ command: "query-migrate" })) as JsonObject).status;
  let held: Promise<void> | undefined;
  /** The rest fits into the socket: the source is through before the destination looks at it. */
  const holdDestination = async () => {
    process.kill(destination.pid, "SIGSTOP");
    const args = { state: "pre-switchover" };
    await source.execute({ command: "migrate-continue", args });
    await expect.poll(status, SOON).toBe("completed");
    expect(await runStateOf(source)).toBe("postmigrate");
    process.kill(destination.pid, "SIGCONT");
  };
  const moving = migrate({
    source,
    destination,
    capabilities: { "pause-before-switchover": true },
    onProgress: (progress) => {
      if (progress.status === "pre-switchover") held ??= holdDestination();
    },
  });
  await expect(moving).rejects.toMatchObject({
    missing: featureSet(2),
    sourceState: "postmigrate",
    sourceSaid: "",
  });
  await held;
  expect(held).toBeDefined();
  expect(await runStateOf(source)).toBe("running");
  await expectBalloon(source, HALF);
  await expectAtWork(source, [ROOM, 100, HALF]);
});

describe("a destination that differs in what the guest does not use", () => {
  const POISON = featureSet(4);

  it("lacks PAGE_POISON, which was offered: the guest moves there and back", async (context) => {
    const options = { arch: "x86_64", machine: "pc", memoryBytes, balloon: {} } as const;
    const source = await qemuGuest(context, options);
    await allocate(source, WORKLOAD_FRAMES, 1);
    await inflateTo(source, HALF);
    const { offered, accepted } = await source.balloon.negotiated();
    expect([offered & POISON, accepted & POISON]).toEqual([POISON, 0n]);
    const without = { ...options, balloon: { pagePoison: false } };
    const there = await move(context, source, without);
    const negotiated = await there.balloon.negotiated();
    expect(negotiated.offered & POISON).toBe(0n);
    expect(negotiated.accepted).toBe(accepted);
    await expectAtWork(there, [HALF, ROOM, 100]);
    await expectAtWork(await move(context, there, options), [100, ROOM, 0]);
  });

  it("lacks PAGE_POISON, which the guest fills by: refuses", async (context) => {
    const append = "ballonet.poison=2863311530";
    const options = { arch: "x86_64", machine: "pc", memoryBytes, append } as const;
    const source = await qemuGuest(context, options);
    await allocate(source, WORKLOAD_FRAMES, 1);
    const balloon = { pagePoison: false };
    const destination = await destinationOf(context, options, { balloon });
    await expect(migrate({ source, destination })).rejects.toMatchObject({ missing: POISON });
    await expectAtWork(source, [HALF, 0]);
  });

  it("offers more: the guest moves there and uses none of it", async (context) => {
    const append = "ballonet.policy=report-only";
    const options = { arch: "x86_64", machine: "pc", memoryBytes, append, balloon: {} } as const;
    const source = await qemuGuest(context, options);
    const before = await source.balloon.negotiated();
    const balloon = { deflateOnOom: true, freePageReporting: true, packed: true };
    const vm = await move(context, source, { ...options, balloon });
    const after = await vm.balloon.negotiated();
    expect(after.offered & ~before.offered).toBe(featureSet(2, 5, 34));
    expect(after.accepted).toBe(before.accepted);
    // Reports nothing of what it frees, though it would like to.
    const handle = await allocate(vm, ROOM, 1);
    await ask(vm, "workload.free", { handle });
    await ask(vm, "policy.set", { name: "follow" });
    await allocate(vm, WORKLOAD_FRAMES, 2);
    await inflateTo(vm, ROOM);
    expect((await statusOf(vm)).totals.reported).toBe(0);
    // Takes no page back by itself, though the host would now allow it.
    await expect(allocate(vm, 2 * WORKLOAD_FRAMES, 3)).rejects.toThrow(/not enough free memory/);
    await expectBalloon(vm, ROOM);
    expect((await verifyAll(vm)).mismatches).toBe(0);
    // Only when the driver begins anew it reads what there is now.
    const from = vm.log.nextNumber;
    await vm.reset();
    await vm.log.waitForLine({ pattern: /ready: .*DEFLATE_ON_OOM.*PAGE_REPORTING.*PACKED/, from });
  });
});

/**
 * The guest reads the features; it is moved; it accepts. Between the first and the last it waits so
 * long, by its own clock, which stands still while the machine does.
 */
const PAUSE_MS = 2000;
const pausing = `ballonet.pause-after-features=${PAUSE_MS}`;
/** ACKNOWLEDGE and DRIVER: nothing accepted yet (virtio 1.3, 2.1). */
const BEFORE_FEATURES = 3;

interface ThreeSteps {
  readonly name: string;
  readonly bit: number;
  readonly has: QemuBalloonOptions;
  readonly lacks: QemuBalloonOptions;
  readonly legacy?: boolean;
  readonly arch?: "i386" | "x86_64";
}

const THREE_STEPS: readonly ThreeSteps[] = [
  { name: "DEFLATE_ON_OOM", bit: 2, has: { deflateOnOom: true }, lacks: {} },
  { name: "PAGE_REPORTING", bit: 5, has: { freePageReporting: true }, lacks: {} },
  // With these two, a driver that believed in them would hang, or misread its own rings.
  { name: "EVENT_IDX", bit: 29, has: {}, lacks: { eventIdx: false } },
  { name: "RING_PACKED", bit: 34, has: { packed: true }, lacks: {} },
  { name: "EVENT_IDX", bit: 29, has: {}, lacks: { eventIdx: false }, arch: "i386" },
  { name: "DEFLATE_ON_OOM", bit: 2, has: { deflateOnOom: true }, lacks: {}, legacy: true },
  { name: "PAGE_REPORTING", bit: 5, has: { freePageReporting: true }, lacks: {}, legacy: true },
  { name: "EVENT_IDX", bit: 29, has: {}, lacks: { eventIdx: false }, legacy: true },
];

/** A guest that has read the features, and stands still. */
async function betweenReadingAndAccepting(context: TestContext, options: MachineOptions) {
  const vm = await qemuGuest(context, { ...options, untilReady: false });
  await vm.log.waitForLine({ pattern: /features are read; accepting in/ });
  // It is not lost to the host meanwhile.
  expect((await statusOf(vm)).state).toBe("starting");
  await vm.pause();
  expect(await vm.balloon.negotiated()).toMatchObject({ accepted: 0n, status: BEFORE_FEATURES });
  return vm;
}

/** At the destination, before and after the guest has accepted; answers what it has said there. */
async function accepts(vm: QemuVmm): Promise<readonly string[]> {
  expect(await vm.balloon.negotiated()).toMatchObject({ accepted: 0n, status: BEFORE_FEATURES });
  await vm.resume();
  await vm.log.waitForLine({ pattern: /^ballonet: ready/, timeoutMs: BOOT_MS });
  const { accepted } = await vm.balloon.negotiated();
  // What the guest believes is what the device does.
  expect((await statusOf(vm)).negotiated).toBe(formatFeatures(accepted));
  const said = vm.log.lines;
  await allocate(vm, WORKLOAD_FRAMES, 1);
  for (const pages of [HALF, 100, ROOM, 0]) {
    await inflateTo(vm, pages);
    await expectBalloon(vm, pages);
  }
  expect(await verifyAll(vm)).toEqual({ bytes: 8 * MIB, mismatches: 0 });
  expect(vm.log.lines).toEqual(said);
  return said;
}

describe("the guest reads the features, is moved, and accepts", () => {
  for (const { name, bit, has, lacks, legacy = false, arch = "x86_64" } of THREE_STEPS) {
    const kind = `${arch} ${legacy ? "legacy" : "modern"}`;
    it(`${kind}, where ${name} is gone: reads them again and does without`, async (context) => {
      const append = legacy ? `${pausing} ballonet.interface=legacy` : pausing;
      const options: MachineOptions = { arch, machine: "pc", memoryBytes, append, balloon: has };
      const source = await betweenReadingAndAccepting(context, options);
      expect((await source.balloon.negotiated()).offered & featureSet(bit)).toBe(featureSet(bit));
      // Nothing is accepted yet, so QEMU finds nothing to refuse.
      const vm = await move(context, source, { ...options, balloon: lacks });
      expect((await vm.balloon.negotiated()).offered & featureSet(bit)).toBe(0n);
      // Nor does it refuse FEATURES_OK: it drops what it lacks, on either interface, in silence.
      const [warning, count, ready] = await accepts(vm);
      expect(warning).toBe(
        `ballonet: warn: the device no longer offers ${name}; its features are read again`,
      );
      expect(count).toBe("ballonet: warn: feature sets that the device refused: 1");
      expect(ready).not.toContain(name);
      // All others stay: a host that lost one has not refused the rest.
      expect(ready).toContain("STATS_VQ");
      expect(ready).toContain("INDIRECT_DESC");
    });
  }

  it("where there is more: accepts of what it has read", async (context) => {
    const options = { arch: "x86_64", machine: "pc", memoryBytes, append: pausing } as const;
    const source = await betweenReadingAndAccepting(context, { ...options, balloon: {} });
    const balloon = { deflateOnOom: true, freePageReporting: true, packed: true };
    const [ready, ...rest] = await accepts(await move(context, source, { ...options, balloon }));
    expect(ready).toMatch(
      /^ballonet: ready: STATS_VQ INDIRECT_DESC EVENT_IDX VERSION_1 RING_RESET,/,
    );
    expect(rest).toEqual([]);
  });

  it("where there is the same on QEMU 10", async (context) => {
    const machine = "pc-q35-7.2";
    const balloon = { deflateOnOom: true };
    const options = { arch: "x86_64", machine, memoryBytes, append: pausing, balloon } as const;
    const binary = qemu10OrSkip(context, "x86_64");
    const source = await betweenReadingAndAccepting(context, options);
    const [ready, ...rest] = await accepts(await move(context, source, { ...options, binary }));
    expect(ready).toContain("DEFLATE_ON_OOM");
    expect(rest).toEqual([]);
  });
});
