/**
 * Free page hinting: the host's runs and the driver's answers to them (virtio 1.3, 5.5.6.5).
 *
 *   free_page_hint_cmd_id   id >= 2: hint      0: pause, keep the pages      1: done, release them
 *                           (some hosts show 0 once a run is begun, too)
 *   the driver's buffers    OUT id, once   IN range ... IN range   OUT 0, when it has no more
 *
 * The device takes a range only if the block that it came in carries the current id. The quirk
 * `anyId` is for devices that take every range.
 */

import type { HintQuirks } from "../host/profile.ts";
import type { Context } from "../judge/context.ts";
import type { CanaryFill } from "../memory/canary-fill.ts";
import type { Taken } from "../queue/ring.ts";
import type { Fate, QueueHandler } from "../queue/virtqueue.ts";
import type { FaultInjector } from "../sim/faults.ts";
import { DESC, FEATURE, HINT, PAGE_BYTES } from "../spec/numbers.ts";
import type { VirtioDevice } from "../virtio/virtio-device.ts";
import type { DevicePart, DriverAtRest } from "./device-part.ts";
import type { FreePageRanges, PageRange } from "./free-page-ranges.ts";

/** Bytes of a command (5.5.6.5.1). */
const COMMAND_BYTES = 4;

const ID_MAX = 0xffff_ffff;

interface HintingParts {
  readonly quirks: HintQuirks;
  readonly freePages: FreePageRanges;
  readonly canary: CanaryFill;
  readonly faults: FaultInjector;
  readonly virtio: Pick<VirtioDevice, "configChanged">;
}

export class Hinting implements QueueHandler, DevicePart {
  /** What free_page_hint_cmd_id shows. */
  commandId: number = HINT.stop;
  /** Counted since the machine was made. */
  readonly counted = { pages: 0, ranges: 0, starts: 0, stops: 0 };
  private readonly context: Context;
  private readonly parts: HintingParts;
  private lastId: number | undefined;
  /** What the driver read last. */
  private seenId: number = HINT.stop;
  /** The id of the block that the driver has begun and not ended. */
  private block: number | undefined;
  /** Buffers with the current id since it was issued. */
  private starts = 0;
  /** The id is the one that the driver has read last: it cannot tell the runs apart. */
  private ambiguous = false;

  constructor(context: Context, parts: HintingParts) {
    this.context = context;
    this.parts = parts;
  }

  reset(): void {
    this.commandId = HINT.stop;
    this.seenId = HINT.stop;
    this.block = undefined;
    this.starts = 0;
    this.ambiguous = false;
  }

  /** The driver reads free_page_hint_cmd_id. A 0 that only hides the id is no STOP. */
  read(): number {
    const isOn = this.commandId >= HINT.firstId && this.starts > 0;
    if (this.parts.quirks.hidesId && isOn) return HINT.stop;
    this.seenId = this.commandId;
    return this.commandId;
  }

  /** The host asks for hints. Returns the run's id. */
  start(): number {
    const id = this.nextId();
    this.lastId = id;
    this.starts = 0;
    this.ambiguous = id === this.seenId;
    this.show(id);
    return id;
  }

  /** The host cannot use hints for now; the driver keeps what it has hinted. */
  pause(): void {
    this.show(HINT.stop);
  }

  /** The host is done with the pages. From now on it changes nothing in them. */
  finish(): void {
    this.audit();
    this.parts.freePages.hinted.clear();
    this.show(HINT.done);
  }

  serve(taken: Taken): Fate {
    const { chain } = taken;
    if (chain.descriptors.length !== 1) {
      const seen = `free_page_vq: ${chain.descriptors.length} descriptors`;
      this.context.judge.breach("Q-ONE-DESCRIPTOR", seen, [taken.entry]);
    }
    if (chain.readableBytes > 0 || chain.writableBytes === 0) this.command(taken);
    if (chain.writableBytes > 0) this.hint(taken);
    return this.parts.quirks.served ? "return" : "lose";
  }

  returned(): number {
    return 0;
  }

  /** The queue was reset. What was hinted stays hinted; a block that was begun is over. */
  dropped(): void {
    this.block = undefined;
  }

  /** Judges pages that were hinted: those in use again have to be initialised. */
  audit(): void {
    if (this.parts.quirks.fill === "zero") return;
    for (const pfn of this.parts.freePages.hinted) {
      if (this.parts.canary.firstChange(pfn) < 0) continue;
      this.parts.freePages.hinted.delete(pfn);
      const at = this.parts.canary.firstLeft(pfn);
      if (at < 0) continue;
      const seen = `page ${pfn} is in use again before DONE, byte ${at} was never initialised`;
      this.context.judge.breach("D24", seen, this.parts.freePages.evidence(pfn));
    }
  }

  save() {
    const { commandId, lastId, seenId, block, starts, ambiguous } = this;
    return { commandId, lastId, seenId, block, starts, ambiguous };
  }

  load(state: ReturnType<Hinting["save"]>): void {
    Object.assign(this, state);
  }

  /** The driver is at rest: a run that it knows of has its answer. */
  check({ uses }: DriverAtRest): void {
    if (!uses(FEATURE.freePageHint) || this.commandId < HINT.firstId) return;
    const { judge } = this.context;
    if (this.starts === 0 && !this.ambiguous) {
      judge.breach("D22", `run ${this.commandId} is on, no buffer with its id came`);
    } else if (this.block === this.commandId) {
      judge.breach("D21-STOP", `run ${this.commandId} was begun and not ended with STOP`);
    }
  }

  private nextId(): number {
    const { firstId, sameId } = this.parts.quirks;
    const { lastId } = this;
    if (lastId === undefined) return firstId;
    if (this.parts.faults.strikes("hint-id-stale")) return lastId;
    return sameId || lastId === ID_MAX ? firstId : lastId + 1;
  }

  private show(id: number): void {
    this.context.trace.add("host", "free_page_hint_cmd_id", { id });
    this.commandId = id;
    this.parts.virtio.configChanged();
  }

  private command(taken: Taken): void {
    const { judge, memory } = this.context;
    const element = taken.chain.elements.find(({ flags }) => (flags & DESC.write) === 0);
    const bytes = taken.chain.readableBytes;
    if (element === undefined || bytes !== COMMAND_BYTES || element.length !== COMMAND_BYTES) {
      judge.breach("D21-SIZE", `an output buffer of ${bytes} bytes`, [taken.entry]);
      return;
    }
    const id = memory.read32(element.address);
    this.context.trace.add("queue", "hint command", { id });
    if (id === HINT.stop) this.driverStops();
    else this.driverStarts(id, taken);
  }

  private driverStops(): void {
    this.block = undefined;
    this.counted.stops += 1;
    if (this.parts.quirks.doneOnStop && this.commandId >= HINT.firstId) this.finish();
  }

  private driverStarts(id: number, taken: Taken): void {
    const { judge } = this.context;
    this.counted.starts += 1;
    this.block = id;
    if (id === this.commandId && id >= HINT.firstId) {
      this.starts += 1;
      if (this.starts < 2 || this.ambiguous) return;
      judge.breach("D21-ONCE", `run ${id} is begun a second time`, [taken.entry]);
      return;
    }
    // The command may have changed after the driver read the field and before it sent the buffer.
    if (id === this.seenId && id >= HINT.firstId) return;
    judge.breach("D21-ID", `a block begins with ${id}, the run is ${this.commandId}`, [
      taken.entry,
    ]);
  }

  private hint(taken: Taken): void {
    const ranges = this.parts.freePages.ranges("hint", taken);
    this.judgeBlock(taken);
    const current = this.block !== undefined && this.block === this.commandId;
    for (const range of ranges) {
      const { first, count } = range;
      const used = current || this.parts.quirks.anyId;
      this.context.trace.add("queue", used ? "hint" : "stale hint", { first, count });
      if (used) this.use(taken, range);
    }
    if (!this.parts.faults.strikes("hint-done-early")) return;
    this.context.trace.add("fault", "DONE without STOP");
    this.finish();
  }

  private use(taken: Taken, range: PageRange): void {
    const { context } = this;
    const { freePages, quirks } = this.parts;
    this.counted.ranges += 1;
    for (const pfn of freePages.usable("hint", taken, range)) {
      freePages.hinted.add(pfn);
      this.counted.pages += 1;
      if (quirks.fill === "canary") this.parts.canary.fill(pfn);
      else if (context.memory.contains(pfn * PAGE_BYTES, PAGE_BYTES)) {
        context.memory.fillPage(pfn, 0);
      }
    }
  }

  private judgeBlock(taken: Taken): void {
    const { judge } = this.context;
    if (this.block === undefined) {
      judge.breach("D21-START", "pages come without an id before them", [taken.entry]);
    } else if (this.seenId < HINT.firstId) {
      const what = this.seenId === HINT.stop ? "STOP" : "DONE";
      judge.breach("D22-STOP", `pages come after the driver has read ${what}`, [taken.entry]);
    } else if (this.block !== this.seenId && this.block !== this.commandId) {
      const seen = `pages of run ${this.block} come, the driver has read ${this.seenId}`;
      judge.breach("D21-START", seen, [taken.entry]);
    }
  }
}
