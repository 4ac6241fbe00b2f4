/**
 * Live migration between the system's QEMU and QEMU 10: which machines move, which do not, and what
 * is said then.
 *
 * A move takes the guest over whole or leaves it where it was.
 */
import { describe, expect, it, type TestContext } from "vitest";
import { migrate } from "../../../src/vmm/qemu/migration.ts";
import { qemuVersion } from "../../../src/vmm/qemu/qemu.ts";
import {
  allocate,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  qemuGuest,
  statusOf,
  useGuests,
} from "../../support/guests.ts";
import { qemu10OrSkip } from "../../support/tools.ts";
import {
  destinationOf,
  expectAtWork,
  expectBalloon,
  type MachineOptions,
  move,
} from "../support/migrations.ts";

useGuests();

const memoryBytes = 128 * MIB;
const HALF = 64 * PAGES_PER_MIB;
const ROOM = 100 * PAGES_PER_MIB;
const WORKLOAD_FRAMES = 8 * PAGES_PER_MIB;

/** QEMU 10's program; skips the test where the system's own is the same. */
async function otherProgram(context: TestContext, arch: "i386" | "x86_64"): Promise<string> {
  const binary = qemu10OrSkip(context, arch);
  const [system, other] = [await qemuVersion({ arch }), await qemuVersion({ arch, binary })];
  if (system.version !== other.version) return binary;
  const reason = `both QEMUs are of one version: ${system.version}`;
  console.log(`skipped: ${reason}`);
  return context.skip(reason);
}

const everything = { packed: true, deflateOnOom: true, freePageReporting: true };

const WORKING = [
  { arch: "x86_64", machine: "pc-i440fx-7.2", balloon: {} },
  { arch: "x86_64", machine: "pc-q35-7.2", balloon: {} },
  { arch: "x86_64", machine: "pc-q35-7.2", balloon: everything },
  { arch: "x86_64", machine: "pc-i440fx-7.2", balloon: { disableModern: true } },
  { arch: "i386", machine: "pc-i440fx-7.2", balloon: {} },
] as const;

describe("a versioned machine type goes to the newer QEMU and back", () => {
  for (const place of WORKING)
    it(`${place.arch} ${place.machine} ${JSON.stringify(place.balloon)}`, async (context) => {
      const old = { ...place, memoryBytes };
      const young = { ...old, binary: await otherProgram(context, place.arch) };
      let vm = await qemuGuest(context, old);
      await allocate(vm, WORKLOAD_FRAMES, 1);
      await inflateTo(vm, HALF);
      const { accepted } = await vm.balloon.negotiated();
      const { version } = vm.qmp;
      for (const [round, options] of [young, old, young].entries()) {
        vm = await move(context, vm, options);
        expect(vm.qmp.version.major > version.major).toBe(options === young);
        expect((await vm.balloon.negotiated()).accepted).toBe(accepted);
        await expectBalloon(vm, HALF);
        await allocate(vm, PAGES_PER_MIB, 2 + round);
        await expectAtWork(vm, [ROOM, 100, HALF]);
      }
    });

  it("x86_64 pc-q35-7.2, begun on the newer one: it has no MSI-X either", async (context) => {
    const machine = "pc-q35-7.2";
    const old: MachineOptions = { arch: "x86_64", machine, memoryBytes };
    const young = { ...old, binary: await otherProgram(context, "x86_64") };
    const vm = await qemuGuest(context, young);
    expect((await statusOf(vm)).interrupts).toBe("line");
    await allocate(vm, WORKLOAD_FRAMES, 1);
    await inflateTo(vm, HALF);
    await expectAtWork(await move(context, vm, old), [HALF, ROOM, 0]);
  });
});

interface Refused {
  readonly name: string;
  readonly machine: NonNullable<MachineOptions["machine"]>;
  /** Of the destination alone. */
  readonly changes?: Partial<MachineOptions>;
  readonly words: RegExp;
}

const REFUSED: readonly Refused[] = [
  { name: "pc without a version", machine: "pc", words: /Machine type received is 'pc-i440fx-/ },
  { name: "q35 without a version", machine: "q35", words: /Machine type received is 'pc-q35-/ },
  { name: "microvm, which has no versions", machine: "microvm", words: /Size mismatch: pc.bios/ },
  {
    name: "a versioned one, with vectors that the older QEMU's balloon does not have",
    machine: "pc-q35-7.2",
    changes: { balloon: { properties: { vectors: 2 } } },
    words: /get_pci_config_device: Bad config data/,
  },
];

describe("a machine that the newer QEMU has otherwise stays where it is", () => {
  for (const { name, machine, changes = {}, words } of REFUSED)
    it(name, async (context) => {
      const options = { arch: "x86_64", machine, memoryBytes } as const;
      const binary = await otherProgram(context, "x86_64");
      const source = await qemuGuest(context, options);
      await allocate(source, WORKLOAD_FRAMES, 1);
      await inflateTo(source, HALF);
      const destination = await destinationOf(context, options, { ...changes, binary });
      await expect(migrate({ source, destination })).rejects.toMatchObject({
        code: "migration",
        missing: 0n,
        destinationSaid: expect.stringMatching(words),
      });
      await expectBalloon(source, HALF);
      await expectAtWork(source, [HALF, ROOM, 0]);
    });

  it("a machine type that the older QEMU does not know does not even start there", async (context) => {
    const binary = await otherProgram(context, "x86_64");
    const options = { arch: "x86_64", machine: "pc-q35-10.0", memoryBytes } as const;
    const source = await qemuGuest(context, { ...options, binary });
    await inflateTo(source, HALF);
    const early = destinationOf(context, options);
    await expect(early).rejects.toMatchObject({
      code: "exited-early",
      message: expect.stringContaining("unsupported machine type"),
    });
    await expectAtWork(source, [HALF, 0]);
    await expectAtWork(await move(context, source, { ...options, binary }), [ROOM, 0]);
  });
});
