/**
 * A soak: one guest on QEMU under targets, work, migration, reset, hot-plug, stop and cont at
 * random, for BALLONET_SOAK_SECONDS; BALLONET_SEED repeats what happens, not its times.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { addFigures } from "../../support/add-figures.ts";
import { MIB, useGuests } from "../../support/guests.ts";
import { Soak } from "./soak.ts";

useGuests();

/** The long form is that of `npm run test:long`. */
const LONG_RUNS = 5000;
const IS_LONG = Number(process.env.BALLONET_RUNS ?? 0) >= LONG_RUNS;
const SECONDS = Number(process.env.BALLONET_SOAK_SECONDS ?? (IS_LONG ? 3600 : 3));
const SEED = Number(process.env.BALLONET_SEED ?? 20260);
const SPARE_MS = 300_000;
const REPORT_MS = 60_000;
/** More than either takes after a minute; neither may take more after an hour. */
const ENGINE_BYTES_MAX = 8 * MIB;
const QEMU_BYTES_MAX = 256 * MIB;
const OWN_GROWTH_BYTES_MAX = 16 * MIB;

/** What this process itself holds, without what is garbage. */
function ownBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it(
  "a guest lives through all that happens to it, and nothing grows",
  async (context) => {
    const soak = await Soak.start(context, SEED);
    const startMs = performance.now();
    const ends = () => performance.now() - startMs >= SECONDS * 1000;
    let leastBytes = Infinity;
    let reportedMs = startMs;
    // Each kind happens once at least, however slow the machine is.
    do {
      await soak.round(() => leastBytes < Infinity && ends());
      const bytes = ownBytes();
      leastBytes = Math.min(leastBytes, bytes);
      expect(bytes - leastBytes).toBeLessThan(OWN_GROWTH_BYTES_MAX);
      expect(soak.engineBytesMax).toBeLessThan(ENGINE_BYTES_MAX);
      expect(soak.qemuBytesMax).toBeLessThan(QEMU_BYTES_MAX);
      if (performance.now() - reportedMs < REPORT_MS && !ends()) continue;
      reportedMs = performance.now();
      const { events, happened, refused, verifiedBytes, engineBytesMax, qemuBytesMax } = soak;
      const seconds = Math.round((reportedMs - startMs) / 1000);
      const mib = (count: number) => `${(count / MIB).toFixed(1)} MiB`;
      console.log(
        `soak of seed ${SEED}: ${seconds} s, ${events} events (${refused} allocations refused),`,
        `${await soak.movedPages()} pages moved, ${mib(verifiedBytes)} verified;`,
        `engine ${mib(engineBytesMax)}, QEMU ${mib(qemuBytesMax)}, this process`,
        `${mib(leastBytes)} at least, ${mib(bytes)} now; ${JSON.stringify(happened)}`,
      );
    } while (!ends());
    await soak.rest();
    const { events, happened, verifiedBytes } = soak;
    const pagesMoved = await soak.movedPages();
    expect(pagesMoved).toBeGreaterThan(0);
    addFigures({
      events,
      migrations: happened.migrate ?? 0,
      pagesMoved,
      bytesVerified: verifiedBytes,
    });
  },
  SECONDS * 1000 + SPARE_MS,
);
