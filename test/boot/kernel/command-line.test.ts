/**
 * What reaches the guest of a command line: the image's path never does any harm, and the last of
 * 4096 bytes counts.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { EXIT } from "../../../runtime/kernel/exit-codes.ts";
import {
  ARCHITECTURES,
  guestAt,
  guestImage,
  MIB,
  PLACES,
  placeName,
  qemuGuest,
  statusOf,
  useGuests,
} from "../../support/guests.ts";

useGuests();

const memoryBytes = 64 * MIB;
const BYTES_MAX = 4096;

/** Words of this many bytes in all; the guest sees whether a byte at the end is missing. */
function wordsOf(bytes: number): string {
  const last = " ballonet.policy=report-only";
  return `${"x".repeat(bytes - last.length)}${last}`;
}

describe.each(ARCHITECTURES)("%s under a path like", (arch) => {
  it.for([
    "ballonet.elf",
    "ballonet.policy=x.elf",
    "ballonet.policy=report-only",
    "ballonet.d/ballonet.policy=x.elf",
    "dir with blanks/ballonet.policy=x.elf",
    " ballonet.elf",
  ])("%j", async (path, context) => {
    const folder = await mkdtemp(join(tmpdir(), "ballonet-path-"));
    context.onTestFinished(() => rm(folder, { recursive: true }));
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await copyFile(guestImage(context, arch).path, join(folder, path));
    // Relative, so that nothing of another folder stands before the path.
    const binary = join(folder, "qemu-there");
    const program = `#!/bin/sh\ncd '${folder}' && exec qemu-system-${arch} "$@"\n`;
    await writeFile(binary, program, { mode: 0o755 });
    const extraArgs = ["-kernel", path];
    for (const [append, policy] of [
      ["", "follow"],
      ["ballonet.policy=gentle", "gentle"],
      ["quiet ballonet.policy=gentle", "gentle"],
    ] as const) {
      const vm = await qemuGuest(context, { arch, binary, memoryBytes, append, extraArgs });
      expect(await statusOf(vm)).toMatchObject({ policy });
      await vm.kill();
    }
  });
});

it.for(PLACES.map((place) => ({ place, name: placeName(place) })))(
  "$name: the guest gets 4096 bytes as they are, from the first word on",
  async ({ place }, context) => {
    for (const append of ["ballonet.policy=report-only", wordsOf(BYTES_MAX)]) {
      const vm = await guestAt(context, place, { memoryBytes, append });
      expect(await statusOf(vm)).toMatchObject({ policy: "report-only" });
      await vm.kill();
    }
  },
);

it.for(ARCHITECTURES)("%s: says how long a longer one is", async (arch, context) => {
  // By PVH, QEMU itself damages what it hands over when a line is much longer.
  for (const bytes of arch === "i386" ? [BYTES_MAX + 1, 100_000] : [BYTES_MAX + 1]) {
    // The launcher itself would refuse it.
    const extraArgs = ["-append", wordsOf(bytes)];
    const vm = await qemuGuest(context, { arch, memoryBytes, extraArgs, untilReady: false });
    expect(await vm.exited).toMatchObject({ guestExitCode: EXIT.badCommandLine });
    expect(vm.log.lines).toEqual([
      `ballonet: error: command line: seen ${bytes} bytes; do stay within ${BYTES_MAX} bytes`,
    ]);
  }
});
