/**
 * The whole core once more, in plain TypeScript: the same functions over an ordinary buffer.
 *
 * It must share no code with the core, nor its memory plan: where rings and arrays lie is its own
 * affair, and a device finds them as it finds the core's. It throws ModelTrap exactly where the
 * core traps.
 */
import type { CoreExports } from "../../../runtime/core/exports.ts";
import {
  DEFLATING,
  FREE,
  HELD,
  INFLATING,
  LedgerModel,
  ModelTrap,
  NO_FRAME,
  RESERVED,
  type Run,
  STATE_COUNT,
  USED,
} from "./ledger.ts";
import { PackedRingModel } from "./packed-ring.ts";
import { EVENT_INDEX, IN_ORDER, NOTHING, PACKED, type RingModel } from "./ring.ts";
import { layOut, SplitRingModel } from "./split-ring.ts";

const INFLATEQ = 0;
const DEFLATEQ = 1;
const STATSQ = 2;
const QUEUES = 3;
const QUEUES_OF_PAGES = 2;
const STATS_MAX = 24;
const STAT_BYTES = 10;
const IDS_MAX = 256;
const PFNS_MAX = 512;
const QUEUE_SIZE_MAX = 1024;

interface Plan {
  readonly ptr: number;
  readonly queueSize: number;
  readonly buffers: number;
  readonly pfns: number;
}

/** What the driver remembers of a buffer in flight. */
interface Slot {
  readonly pages: number;
  /** Empty where the pages changed hands when the buffer was posted. */
  readonly runs: readonly Run[];
}

function trapUnless(condition: boolean, what: string): void {
  if (!condition) throw new ModelTrap(what);
}

/** The part of the core that works page by page, which the model has too. */
export type PageExports = Omit<
  CoreExports,
  | "balloon_abandon_inflates"
  | "scrub_set"
  | `poison_${string}`
  | `report_${string}`
  | `hint_${string}`
>;

export class ModelCore implements PageExports {
  ledger = new LedgerModel(0);
  private readonly view: DataView;
  private plan: Plan = { ptr: 0, queueSize: 0, buffers: 0, pfns: 0 };
  private run = 0;
  private readonly rings = new Map<number, RingModel>();
  private readonly slots = [new Map<number, Slot>(), new Map<number, Slot>()] as const;
  private readonly pagesInFlight = [0, 0];

  constructor(buffer: ArrayBufferLike) {
    this.view = new DataView(buffer);
  }

  abi_version(): number {
    return 2;
  }

  private ringStride(queueSize: number): number {
    return Math.ceil(layOut(queueSize, 4096).end / 4096) * 4096;
  }

  arena_bytes(_frames: number, queueSize: number, buffers: number, pfns: number): number {
    trapUnless(queueSize > 0 && queueSize <= QUEUE_SIZE_MAX, "queue size");
    trapUnless(buffers > 0 && buffers <= IDS_MAX && pfns > 0 && pfns <= PFNS_MAX, "buffers");
    const arrays = QUEUES_OF_PAGES * buffers * pfns * 4;
    return QUEUES * this.ringStride(queueSize) + arrays + STATS_MAX * STAT_BYTES;
  }

  arena_open(ptr: number, frames: number, queueSize: number, buffers: number, pfns: number): void {
    trapUnless(ptr !== 0 && ptr % 4096 === 0, "arena address");
    const bytes = this.arena_bytes(frames, queueSize, buffers, pfns);
    new Uint8Array(this.view.buffer, ptr, bytes).fill(0);
    this.plan = { ptr, queueSize, buffers, pfns };
    this.ledger = new LedgerModel(frames);
    this.run = 0;
    this.rings.clear();
    this.pagesInFlight.fill(0);
  }

  ledger_frames(): number {
    return this.ledger.frames;
  }
  ledger_count(state: number): number {
    trapUnless(state < STATE_COUNT, "state");
    return this.ledger.counts[state] ?? 0;
  }
  ledger_state(pfn: number): number {
    const state = this.ledger.states[pfn];
    if (state === undefined) throw new ModelTrap("no such frame");
    return state;
  }
  ledger_uniform(first: number, length: number, state: number): number {
    return this.ledger.uniform({ first, length }, state) ? 1 : 0;
  }
  ledger_add(first: number, length: number): void {
    this.ledger.move({ first, length }, RESERVED, FREE);
  }
  ledger_allocate(most: number): number {
    const run = this.ledger.allocate(most);
    this.run = run?.length ?? 0;
    return run?.first ?? NO_FRAME;
  }
  ledger_run(): number {
    return this.run;
  }
  ledger_claim(first: number, length: number): void {
    this.ledger.move({ first, length }, FREE, USED);
  }
  ledger_release(first: number, length: number): void {
    this.ledger.move({ first, length }, USED, FREE);
  }
  ledger_unit(frames: number): void {
    this.ledger.setUnit(frames);
  }
  ledger_reclaim(): void {
    this.ledger.reclaim();
    this.pagesInFlight.fill(0);
  }

  private ring(queue: number): RingModel {
    const ring = this.rings.get(queue);
    if (ring === undefined) throw new ModelTrap(`queue ${queue} is not open`);
    return ring;
  }

  idsInFlight(queue: number): readonly number[] {
    return this.ring(queue).inFlight;
  }

  queue_open(queue: number, size: number, features: number, alignment: number): void {
    const { ptr, queueSize, buffers } = this.plan;
    const isPacked = (features & PACKED) !== 0;
    trapUnless(queue < QUEUES, "queue");
    trapUnless((features & ~(EVENT_INDEX | PACKED | IN_ORDER)) === 0, "features");
    trapUnless(size > 0 && size <= queueSize, "queue size");
    trapUnless(isPacked || Number.isInteger(Math.log2(size)), "queue size");
    const options = {
      view: this.view,
      ptr: ptr + queue * this.ringStride(queueSize),
      size,
      ids: queue === STATSQ ? 1 : buffers,
      features,
      alignment,
    };
    this.rings.set(queue, isPacked ? new PackedRingModel(options) : new SplitRingModel(options));
    if (queue < QUEUES_OF_PAGES) this.slots[queue as 0 | 1].clear();
  }
  queue_descriptor_area(queue: number): number {
    return this.ring(queue).descriptorPtr;
  }
  queue_driver_area(queue: number): number {
    return this.ring(queue).driverPtr;
  }
  queue_device_area(queue: number): number {
    return this.ring(queue).devicePtr;
  }
  queue_next_place(queue: number): number {
    return this.ring(queue).nextPlace();
  }
  queue_buffers_in_flight(queue: number): number {
    return this.ring(queue).inFlight.length;
  }
  queue_pages_in_flight(queue: number): number {
    trapUnless(queue < QUEUES_OF_PAGES, "queue");
    return this.pagesInFlight[queue] ?? 0;
  }
  queue_publish(queue: number): number {
    return this.ring(queue).publish() ? 1 : 0;
  }
  queue_arm(queue: number, after: number): number {
    return this.ring(queue).arm(after) ? 1 : 0;
  }

  private arrayPtr(queue: number, id: number): number {
    const { ptr, queueSize, buffers, pfns } = this.plan;
    return ptr + QUEUES * this.ringStride(queueSize) + (queue * buffers + id) * pfns * 4;
  }

  /** One buffer: ascending, at most `pfns`, ended by a run that starts lower. */
  private fill(queue: 0 | 1, id: number, want: number, to: number): Slot {
    const from = queue === INFLATEQ ? FREE : HELD;
    const runs: Run[] = [];
    let pages = 0;
    let above = 0;
    while (pages < Math.min(want, this.plan.pfns)) {
      const run = this.ledger.find(from, want - pages, Math.min(want, this.plan.pfns) - pages);
      if (run === undefined || run.first < above) break;
      this.ledger.move(run, from, to);
      for (let i = 0; i < run.length; i++) {
        this.view.setUint32(this.arrayPtr(queue, id) + 4 * (pages + i), run.first + i, true);
      }
      runs.push(run);
      pages += run.length;
      above = run.first + run.length;
    }
    return { pages, runs };
  }

  private batch(queue: 0 | 1, want: number, to: number): number {
    const ring = this.ring(queue);
    let done = 0;
    while (done < want) {
      const id = ring.nextId;
      if (id === undefined) break;
      const { pages, runs } = this.fill(queue, id, want - done, to);
      if (pages === 0) break;
      this.slots[queue].set(id, { pages, runs: to === FREE ? [] : runs });
      ring.post(this.arrayPtr(queue, id), pages * 4);
      done += pages;
    }
    this.pagesInFlight[queue] = (this.pagesInFlight[queue] ?? 0) + done;
    return done;
  }

  balloon_inflate(want: number): number {
    return this.batch(INFLATEQ, want, INFLATING);
  }
  balloon_deflate(want: number): number {
    return this.batch(DEFLATEQ, want, DEFLATING);
  }
  balloon_deflate_untold(want: number): number {
    return this.batch(DEFLATEQ, want, FREE);
  }
  balloon_deflate_silently(want: number): number {
    let done = 0;
    while (done < want) {
      const run = this.ledger.find(HELD, want - done, want - done);
      if (run === undefined) break;
      this.ledger.move(run, HELD, FREE);
      done += run.length;
    }
    return done;
  }

  balloon_settle(queue: number): number {
    trapUnless(queue === INFLATEQ || queue === DEFLATEQ, "queue");
    const ring = this.ring(queue);
    let pages = 0;
    let id = ring.take();
    for (; id >= 0; id = ring.take()) pages += this.settleBuffer(queue as 0 | 1, id);
    this.pagesInFlight[queue] = (this.pagesInFlight[queue] ?? 0) - pages;
    return id === NOTHING ? pages : id;
  }

  private settleBuffer(queue: 0 | 1, id: number): number {
    const slot = this.slots[queue].get(id);
    if (slot === undefined) throw new Error(`nothing is known of buffer ${id}`);
    const [from, to] = queue === INFLATEQ ? [INFLATING, HELD] : [DEFLATING, FREE];
    for (const run of slot.runs) this.ledger.move(run, from, to);
    this.slots[queue].delete(id);
    return slot.pages;
  }

  private get statsPtr(): number {
    return this.arrayPtr(DEFLATEQ, this.plan.buffers);
  }

  stats_put(index: number, tag: number, value: number): void {
    trapUnless(index < STATS_MAX, "entry");
    const ptr = this.statsPtr + STAT_BYTES * index;
    this.view.setUint16(ptr, tag, true);
    this.view.setBigUint64(ptr + 2, BigInt.asUintN(64, BigInt(Math.trunc(value))), true);
  }
  stats_post(bytes: number): void {
    trapUnless(
      bytes <= STATS_MAX * STAT_BYTES && this.ring(STATSQ).inFlight.length === 0,
      "statistics are out",
    );
    this.ring(STATSQ).post(this.statsPtr, bytes);
  }
  stats_take(): number {
    const id = this.ring(STATSQ).take();
    if (id === NOTHING) return 0;
    return id < 0 ? id : 1;
  }
}
