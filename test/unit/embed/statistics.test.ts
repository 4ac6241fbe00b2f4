/** What an embedded balloon tells of memory when its caller knows a part of it. */
import { expect, it } from "vitest";
import { createBalloon, type Statistics } from "../../../src/index.ts";
import { FRAMES, PAGE, rig } from "./rig.ts";

/** Tags of virtio 1.3, 5.5.6.4. */
const [MAJFLT, MINFLT, MEMFREE, MEMTOT] = [2, 3, 4, 5];

async function told(statistics: () => Partial<Statistics>) {
  const { machine, options } = await rig();
  const balloon = await createBalloon({ ...options, statistics });
  machine.onInterrupt = () => balloon.interrupt();
  machine.requestStats();
  machine.run();
  return machine.stats.sample;
}

it("takes from the ledger what the caller leaves out", async () => {
  const sample = await told(() => ({ majorFaults: 7 }));
  const all = BigInt(FRAMES * PAGE);
  expect([MAJFLT, MINFLT, MEMFREE, MEMTOT].map((tag) => sample.get(tag))).toEqual([
    7n,
    0n,
    all,
    all,
  ]);
});

it("takes the caller's word for what it does not leave out", async () => {
  const sample = await told(() => ({ free: PAGE, total: 2 * PAGE }));
  expect([MEMFREE, MEMTOT].map((tag) => sample.get(tag))).toEqual([BigInt(PAGE), BigInt(2 * PAGE)]);
});
