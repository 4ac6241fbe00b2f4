/** Behaviours of memory: what the host gets, what the guest gets back, and what is in it. */
import { ControlReplyError } from "../../vmm/errors.ts";
import { isJsonObject } from "../../vmm/json.ts";
import { PAGE_BYTES } from "../../vmm/vmm.ts";
import type { Behaviour } from "./behaviour.ts";
import { expect, LeftOut } from "./ends.ts";
import type { Field } from "./field.ts";

const MIB = 2 ** 20;
/** Of what should move, what has to: as Firecracker's tests have it. */
const SHARE = 0.85;
/** How far two readings of a resident set may lie apart, as Firecracker's tests have it. */
const APART_BYTES = 15_000 * 1024;
/** Of 64 MiB: most of what a guest has free. */
const MOST_PAGES = 12_288;
const SOME_PAGES = 5_120;
/** A guest keeps as many for itself. */
const RESERVE_PAGES = 256;

const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;

/** Waits until so much less is resident than before. Returns what is. Rejects with Missed. */
function fallsBy(field: Field, before: number, least: number, limitMs?: number): Promise<number> {
  return field.until(
    () => field.resident(),
    (now) => before - now >= least,
    (now) => `the resident set goes from ${mib(before)} to ${mib(now)}, not down by ${mib(least)}`,
    limitMs,
  );
}

/** Dirties memory, inflates, and expects the host to get what was dirtied. Returns what is left. */
async function falls(field: Field, dirty: number, target: number): Promise<number> {
  await field.dirty(dirty);
  const { freePages, heldPages } = await field.status();
  const before = await field.resident();
  const moved = (await field.move(target)) - heldPages;
  // The balloon may take pages that nobody wrote to first.
  const least = Math.max(0, dirty + moved - freePages) * PAGE_BYTES * SHARE;
  return fallsBy(field, before, least, 5_000);
}

async function fallsTwice(field: Field): Promise<void> {
  const first = await falls(field, MOST_PAGES, MOST_PAGES);
  await field.move(0);
  const second = await falls(field, MOST_PAGES, MOST_PAGES);
  const apart = Math.abs(second - first);
  expect(apart <= APART_BYTES, `${mib(first)} resident at first, ${mib(second)} then`);
}

async function freeFalls(field: Field): Promise<void> {
  const { freePages: before } = await field.status();
  const pages = await field.move(SOME_PAGES);
  const { freePages: now, heldPages } = await field.status();
  expect(before - now >= SHARE * pages, `${before} free pages become ${now} for ${pages}`);
  expect(heldPages === pages, `the guest gave ${heldPages} pages, the host shows ${pages}`);
}

/** A program wants more than is free while the balloon is full. Returns whether it got it. */
async function shortOfMemory(field: Field): Promise<boolean> {
  await field.move(MOST_PAGES);
  const { freePages } = await field.status();
  try {
    await field.give(await field.take(freePages + SOME_PAGES / 2));
    return true;
  } catch (error) {
    if (error instanceof ControlReplyError) return false;
    throw error;
  }
}

async function deflatesOnOom(field: Field): Promise<void> {
  if (!(await field.has("DEFLATE_ON_OOM"))) throw new LeftOut("DEFLATE_ON_OOM is not offered");
  expect(await shortOfMemory(field), "the program did not get its memory");
  await field.until(
    () => field.shown(),
    (shown) => shown < MOST_PAGES,
    (shown) => `the host still shows ${shown} pages`,
  );
}

async function keepsOnOom(field: Field): Promise<void> {
  expect(!(await field.has("DEFLATE_ON_OOM")), "DEFLATE_ON_OOM is offered");
  expect(!(await shortOfMemory(field)), "the program got memory of a full balloon");
  const shown = await field.shown();
  expect(shown === MOST_PAGES, `the host shows ${shown} pages, not ${MOST_PAGES}`);
}

/** Free memory goes to the host by itself, or when the host asks. */
async function reported(field: Field): Promise<void> {
  const handle = await field.take(MOST_PAGES);
  const full = await field.resident();
  await field.give(handle);
  await field.hand.hint?.();
  await fallsBy(field, full, SHARE * MOST_PAGES * PAGE_BYTES);
}

async function reportedBeforeAndAfter(field: Field): Promise<void> {
  await reported(field);
  await field.snapshot();
  await reported(field);
}

async function snapshotKeeps(field: Field): Promise<void> {
  await falls(field, SOME_PAGES, SOME_PAGES);
  await field.snapshot();
  await field.awaitShown(SOME_PAGES);
  await falls(field, MOST_PAGES - SOME_PAGES, 2 * SOME_PAGES);
  if (field.hand.statistics === undefined) return;
  const { freeMemory } = await field.fresh();
  expect(freeMemory !== undefined, "no statistics come after it");
}

async function movesAndStays(field: Field): Promise<void> {
  const handle = await field.take(SOME_PAGES / 2);
  await field.move(SOME_PAGES);
  await field.snapshot();
  await field.awaitShown(SOME_PAGES);
  await field.move(SOME_PAGES / 2);
  await field.verify(handle);
  await field.give(handle);
}

/** In the guest: the frames that programs have, and how many of some are not zero. */
const FRAMES = `
  globalThis.framesIn = (ledger, state) => {
    const found = [];
    for (let frame = 0; frame < ledger.frames; frame++) {
      const byte = machine.memoryRead(ledger.address + (frame >> 1), 1);
      if (((byte >> (4 * (frame & 1))) & 15) === state) found.push(frame);
    }
    return found;
  };
  globalThis.unclean = (frames) =>
    frames.filter((frame) => machine.memoryRead(frame * 4096 + 64, 4) !== 0).length;
  0`;

async function scrubs(field: Field, handOver: (pages: number) => Promise<void>): Promise<void> {
  const ledger = await field.ask("ledger");
  if (!isJsonObject(ledger) || !Array.isArray(ledger.states)) throw new LeftOut("the ledger");
  const place = JSON.stringify({ address: ledger.address, frames: ledger.frames });
  const used = ledger.states.indexOf("used");
  await field.evaluate(FRAMES);
  const handle = await field.take(MOST_PAGES);
  const dirty = await field.evaluate(
    `globalThis.dirty = framesIn(${place}, ${used}); unclean(dirty)`,
  );
  expect(Number(dirty) >= MOST_PAGES / 2, `the guest wrote to ${dirty} pages alone`);
  await field.give(handle);
  await handOver(MOST_PAGES);
  const left = Number(await field.evaluate("unclean(dirty)"));
  // The guest keeps some for itself, and a host may give memory back in larger parts.
  const most = Number(dirty) - SHARE * (MOST_PAGES - RESERVE_PAGES);
  expect(left <= Math.max(most, 0), `${left} of ${dirty} pages still have what was in them`);
}

/** Waits until the guest has handed its free memory over. */
function reports(field: Field): (pages: number) => Promise<void> {
  return async (pages) => {
    await field.until(
      () => field.status(),
      ({ reportedPages }) => reportedPages >= pages * SHARE,
      () => "the guest reports nothing",
    );
  };
}

const RSS = ["target", "shown", "resident"] as const;

/** See the file's header. */
export const memoryBehaviours: readonly Behaviour[] = [
  {
    name: "firecracker/test_rss_memory_lower",
    like: ["firecracker/test_reinflate_balloon", "stratovirt/balloon_fun_001"],
    text: "has less memory resident when the balloon inflates, and again the next time",
    needs: RSS,
    run: fallsTwice,
  },
  {
    name: "firecracker/test_inflate_reduces_free",
    text: "leaves the guest as much less free memory as the balloon has",
    needs: ["target", "shown"],
    run: freeFalls,
  },
  {
    name: "firecracker/test_deflate_on_oom-true",
    like: ["cloud-hypervisor/test_virtio_balloon_deflate_on_oom"],
    text: "lets a guest that is short of memory take it from the balloon",
    needs: ["target", "shown", "deflate-on-oom"],
    device: { deflateOnOom: true },
    run: deflatesOnOom,
  },
  {
    name: "firecracker/test_deflate_on_oom-false",
    text: "keeps its memory when the guest is short of it, where it offers no DEFLATE_ON_OOM",
    needs: ["target", "shown", "deflate-on-oom"],
    device: { deflateOnOom: false },
    run: keepsOnOom,
  },
  {
    name: "firecracker/test_balloon_snapshot",
    text: "has less memory resident by inflating before and after a snapshot",
    needs: [...RSS, "snapshot"],
    run: snapshotKeeps,
  },
  {
    name: "cloud-hypervisor/test_live_migration_balloon",
    like: ["cloud-hypervisor/test_live_upgrade_balloon", "tp-qemu/balloon_check.migrate"],
    text: "has the same balloon after the guest has moved, deflates it, and its memory is whole",
    needs: ["target", "shown", "snapshot"],
    run: movesAndStays,
  },
  {
    name: "firecracker/test_hinting_reporting_snapshot-reporting",
    text: "has less memory resident by reports before and after a snapshot",
    needs: ["resident", "snapshot", "reporting"],
    device: { reporting: true },
    run: reportedBeforeAndAfter,
  },
  {
    name: "firecracker/test_hinting_reporting_snapshot-hinting",
    text: "has less memory resident by hints before and after a snapshot",
    needs: ["resident", "snapshot", "hint", "hinting"],
    device: { hinting: true },
    run: reportedBeforeAndAfter,
  },
  {
    name: "cloud-hypervisor/test_virtio_balloon_free_page_reporting",
    like: ["stratovirt/balloon_fpr_001", "tp-qemu/balloon_free"],
    text: "has less memory resident when the guest reports what is free",
    needs: ["resident", "reporting"],
    device: { reporting: true },
    run: reported,
  },
  {
    name: "firecracker/test_memory_scrub-traditional",
    text: "gives back pages of the balloon without what was in them",
    needs: ["target", "shown"],
    isTheirsAlone: true,
    run: (field) =>
      scrubs(field, async (pages) => {
        await field.move(pages);
        await field.move(0);
      }),
  },
  {
    name: "firecracker/test_memory_scrub-hinting",
    like: ["v86/virtio_balloon.Cleanup"],
    text: "takes what was in pages that were hinted",
    needs: ["hint", "hinting"],
    device: { hinting: true },
    isTheirsAlone: true,
    run: (field) => scrubs(field, async () => void (await field.hand.hint?.())),
  },
  {
    name: "firecracker/test_memory_scrub-reporting",
    text: "takes what was in pages that were reported",
    needs: ["reporting"],
    device: { reporting: true },
    isTheirsAlone: true,
    run: (field) => scrubs(field, reports(field)),
  },
];
