/** Behaviours of the device: targets, statistics, resets, and a guest that stops and goes on. */
import { setTimeout as sleep } from "node:timers/promises";
import { PAGE_BYTES } from "../../vmm/vmm.ts";
import type { Behaviour } from "./behaviour.ts";
import { expect } from "./ends.ts";
import type { Field } from "./field.ts";

const SHARE = 0.85;
const SOME_PAGES = 5_120;
const MOVES = 12;
/** As long as a host may take for statistics that it asks for at once. */
const SAMPLE_MS = 3_000;
const LONG_INTERVAL_S = 60;

/** Targets of every kind: one page, no whole buffer, reversed on the way, and back to none. */
async function movesExactly(field: Field): Promise<void> {
  const { freePages } = await field.status();
  for (const pages of [256, 255, 1, 257, SOME_PAGES + 1, 2 * SOME_PAGES, 0]) {
    const reached = await field.move(pages);
    const { heldPages } = await field.status();
    expect(heldPages === reached, `the host shows ${reached} pages, the guest gave ${heldPages}`);
  }
  await field.target(2 * SOME_PAGES);
  await field.move(SOME_PAGES / 2);
  await field.move(0);
  const { freePages: now } = await field.status();
  // What the guest itself needs meanwhile.
  expect(freePages - now < 64, `${freePages} free pages before, ${now} after`);
}

async function staysAtTheLeast(field: Field): Promise<void> {
  for (let time = 0; time < 2; time++) {
    await field.target(field.memoryPages - 256);
    let before = -1;
    await field.until(
      async () => {
        const shown = await field.shown();
        const isAtRest = shown === before && shown >= SOME_PAGES;
        before = shown;
        if (!isAtRest) await sleep(200);
        return { shown, isAtRest };
      },
      ({ isAtRest }) => isAtRest,
      ({ shown }) => `the balloon does not come to rest: ${shown} pages`,
    );
    const { state } = await field.status();
    expect(state === "running", `the guest's driver is ${state}`);
    await field.move(0);
  }
}

async function refusesTooMuch(field: Field): Promise<void> {
  const before = await field.move(SOME_PAGES);
  const refused = await field.target(16 * field.memoryPages).then(
    () => false,
    () => true,
  );
  if (refused) expect((await field.shown()) === before, "what was refused moves the balloon");
  await field.move(SOME_PAGES / 2);
}

async function survivesStress(field: Field): Promise<void> {
  for (let move = 0; move < MOVES; move++) {
    await field.target(move % 2 === 0 ? 2 * SOME_PAGES : SOME_PAGES / 4);
    const handle = await field.take(1_000);
    await field.verify(handle);
    await field.give(handle);
  }
  await field.move(0);
}

async function targetSurvivesReset(field: Field): Promise<void> {
  const pages = await field.move(SOME_PAGES);
  await field.ask("suspend");
  await field.until(
    () => field.status(),
    ({ state }) => state === "suspended",
    () => "the guest's driver does not stop",
  );
  await field.ask("resume");
  await field.until(
    () => field.status(),
    ({ heldPages }) => heldPages === pages,
    () => `the guest does not give ${pages} pages again`,
  );
  await field.awaitShown(pages);
  await field.move(0);
}

async function targetSurvivesReboot(field: Field): Promise<void> {
  await field.move(SOME_PAGES);
  await field.reset();
  await field.move(SOME_PAGES / 2);
  await field.move(0);
}

async function goesOn(field: Field): Promise<void> {
  await field.move(SOME_PAGES);
  await field.hand.pause?.();
  const pages = await field.target(2 * SOME_PAGES);
  const shown = await field.shown();
  expect(shown === SOME_PAGES, `a guest that stands still moves its balloon to ${shown} pages`);
  await field.hand.resume?.();
  await field.awaitShown(pages);
}

async function statisticsFollow(field: Field): Promise<void> {
  const free = async () => Number((await field.fresh()).freeMemory ?? Number.NaN);
  const first = await free();
  const { totalMemory } = await field.fresh();
  expect(totalMemory !== undefined && Number(totalMemory) >= first, `${totalMemory} bytes in all`);
  const handle = await field.take(SOME_PAGES / 2);
  const taken = await free();
  const least = SHARE * (SOME_PAGES / 2) * PAGE_BYTES;
  expect(first - taken >= least, `free memory goes from ${first} to ${taken} for a program`);
  await field.move(SOME_PAGES / 2);
  const inflated = await free();
  expect(taken - inflated >= least, `free memory goes from ${taken} to ${inflated} by inflating`);
  await field.move(0);
  const deflated = await free();
  expect(deflated - inflated >= least, `it goes from ${inflated} to ${deflated} by deflating`);
  await field.give(handle);
}

async function changeAsks(field: Field): Promise<void> {
  await field.fresh();
  await field.hand.setInterval?.(LONG_INTERVAL_S);
  await sleep(SAMPLE_MS / 2);
  const known = async () =>
    Number((await field.hand.statistics?.({ fresh: false }))?.tags.freeMemory);
  const before = await known();
  const handle = await field.take(SOME_PAGES);
  await field.hand.setInterval?.(LONG_INTERVAL_S - 1);
  const least = SHARE * SOME_PAGES * PAGE_BYTES;
  await field.until(
    known,
    (now) => before - now >= least,
    (now) => `no sample comes: free memory is ${now} bytes`,
    SAMPLE_MS,
  );
  await field.give(handle);
}

async function statisticsOverReset(field: Field): Promise<void> {
  const known = async () => (await field.hand.statistics?.({ fresh: false }))?.tags ?? {};
  const count = (tags: object) => Object.keys(tags).length;
  const early = count(await known());
  expect(early === 0, `${early} statistics are there before the driver is`);
  await field.ready();
  expect(count(await field.fresh()) >= 2, "none come when the driver is there");
  await field.hand.reset?.();
  const after = count(await known());
  expect(after === 0, `${after} statistics are there after a reset`);
  await field.ready();
  expect(count(await field.fresh()) >= 2, "none come after a reset");
}

/** See the file's header. */
export const deviceBehaviours: readonly Behaviour[] = [
  {
    name: "tp-qemu/balloon_check",
    like: [
      "crosvm/desc_parsing_inflate",
      "firecracker/test_inflate",
      "firecracker/test_deflate",
      "v86/virtio_balloon.Inflate",
    ],
    text: "shows exactly what the guest gives, for targets of every size, and nothing at the end",
    needs: ["target", "shown"],
    run: movesExactly,
  },
  {
    name: "tp-qemu/balloon_minimum",
    text: "asks for more than the guest has, twice, and the guest lives",
    needs: ["target", "shown"],
    run: staysAtTheLeast,
  },
  {
    name: "tp-qemu/balloon_illegal",
    text: "refuses a target beyond the guest's memory, or lives with it",
    needs: ["target", "shown"],
    run: refusesTooMuch,
  },
  {
    name: "tp-qemu/balloon_stress",
    text: "moves the balloon while programs take memory and end",
    needs: ["target", "shown"],
    run: survivesStress,
  },
  {
    name: "tp-qemu/balloon_stop_continue",
    text: "lets a guest that stood still go on to the target",
    needs: ["target", "shown", "pause"],
    run: goesOn,
  },
  {
    name: "tp-qemu/balloon_check.reboot",
    text: "moves the balloon after the machine was reset",
    needs: ["target", "shown", "reset"],
    run: targetSurvivesReboot,
  },
  {
    name: "firecracker/test_device_reset",
    text: "keeps the target when the driver resets the device, and the guest goes back to it",
    needs: ["target", "shown"],
    run: targetSurvivesReset,
  },
  {
    name: "firecracker/test_stats",
    like: ["tp-qemu/balloon_service"],
    text: "shows less free memory for a program and by inflating, and more by deflating",
    needs: ["target", "shown", "statistics"],
    run: statisticsFollow,
  },
  {
    name: "firecracker/test_stats_update",
    text: "asks for statistics at once when their interval changes",
    needs: ["statistics", "interval"],
    isTheirsAlone: true,
    run: changeAsks,
  },
  {
    name: "qemu/test_virtio_balloon_stats",
    text: "has no statistics before the driver is up, and none from before a reset",
    needs: ["statistics", "reset"],
    isFromBoot: true,
    run: statisticsOverReset,
  },
  {
    name: "firecracker/test_invalid_request",
    text: "takes no buffer for the wrong one, however it is split, and writes into none",
    needs: [],
    checks: ["FRAMING", "SPLIT-READABLE", "SPLIT-WRITABLE"],
  },
  {
    name: "qemu/inflate-no-device-init",
    text: "says no greater length of a used buffer than it has written",
    needs: [],
    checks: ["USED-LENGTH-SET", "USED-LENGTH-WRITTEN"],
  },
  {
    name: "stratovirt/balloon_feature_001",
    like: ["stratovirt/balloon_feature_002", "firecracker/test_virtio_features"],
    text: "accepts what it offers and nothing else",
    needs: [],
    checks: ["FEATURES-SUBSET", "FEATURES-INVALID"],
  },
  {
    name: "firecracker/test_balloon_stat_size",
    text: "takes statistics in any order, and ignores tags that it does not know",
    needs: ["statistics"],
    checks: ["STATS-ORDER", "STATS-UNKNOWN"],
  },
];
