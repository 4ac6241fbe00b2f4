/** Memory from 8 MiB to beyond 1 TiB, in one piece and in several: the guest runs, or says why not. */
import { describe, expect, it } from "vitest";
import {
  type Arch,
  BOOT_MS,
  GIB,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  qemuGuest,
  statusOf,
  useGuests,
} from "../../support/guests.ts";

useGuests();

const PAGE = 4096;

interface Size {
  readonly arch: Arch;
  readonly memory: string;
  readonly bytes: number;
  readonly args?: readonly string[];
  /** What it says of its memory. */
  readonly says?: RegExp;
}

/** The pieces of a host with several sockets. */
const nodes = (...mebibytes: number[]) =>
  mebibytes.flatMap((size, node) => [
    ...["-object", `memory-backend-ram,id=m${node},size=${size}M`],
    ...["-numa", `node,nodeid=${node},memdev=m${node}`],
  ]);
/** Nothing of the host's memory is set aside for it. */
const sparse = (size: string) => [
  ...["-object", `memory-backend-ram,id=all,size=${size},reserve=off`],
  ...["-M", "memory-backend=all", "-cpu", "max,phys-bits=46"],
];

const SIZES: readonly Size[] = [
  { arch: "i386", memory: "8 MiB", bytes: 8 * MIB },
  { arch: "x86_64", memory: "8 MiB", bytes: 8 * MIB },
  { arch: "x86_64", memory: "12 MiB", bytes: 12 * MIB },
  { arch: "i386", memory: "16 MiB", bytes: 16 * MIB },
  { arch: "i386", memory: "3 GiB", bytes: 3 * GIB },
  { arch: "x86_64", memory: "3 GiB below 2", bytes: 3 * GIB, args: ["-M", "max-ram-below-4g=2G"] },
  { arch: "x86_64", memory: "5 GiB in pieces", bytes: 5 * GIB, args: nodes(96, 2048, 800, 2176) },
  { arch: "i386", memory: "1100 GiB", bytes: 1100 * GIB, args: sparse("1100G") },
  { arch: "x86_64", memory: "1100 GiB", bytes: 1100 * GIB, args: sparse("1100G") },
  {
    arch: "x86_64",
    // All that is known of so much memory would need more than the 16 MiB that the core can reach.
    memory: "130 GiB, all but 16 MiB above 4",
    bytes: 130 * GIB,
    args: [...sparse("130G"), "-M", "max-ram-below-4g=16M"],
    says: /warn: \d+ bytes from 0x1[0-9a-f]{9} on stay unused: the memory below 0x100000000 cannot/,
  },
];

describe.concurrent("a guest", () => {
  it.for(SIZES)("$arch with $memory runs", async ({ arch, bytes, args = [], says }, context) => {
    const vm = await qemuGuest(context, {
      arch,
      machine: "q35",
      memoryBytes: bytes,
      binary: "qemu-system-x86_64",
      extraArgs: args,
    });
    if (says) await vm.log.waitForLine({ pattern: says, timeoutMs: BOOT_MS });
    await inflateTo(vm, Math.min(PAGES_PER_MIB, bytes / PAGE / 64));
    const { frames } = await statusOf(vm);
    const seen = Object.values(frames).reduce((sum, count) => sum + count, 0);
    const least = arch === "i386" ? Math.min(bytes, GIB) : bytes;
    expect(seen * PAGE).toBeGreaterThan(least / 4);
    await inflateTo(vm, 0);
  });

  it.for(["i386", "x86_64"] as const)(
    "%s with 6 MiB says that it lacks some",
    async (arch, context) => {
      const options = { arch, machine: "pc", memoryBytes: 6 * MIB, untilReady: false } as const;
      const vm = await qemuGuest(context, options);
      const { text } = await vm.log.waitForLine({ pattern: /ballonet:/, timeoutMs: 60_000 });
      expect(text).toMatch(
        /^ballonet: error: too little memory: \d+ bytes are available, \d+ needed/,
      );
      expect(await vm.exited).toMatchObject({ reason: "guest", guestExitCode: 11 });
    },
  );
});
