/**
 * Pages through ring and ledger: a driver's loop against a device that completes all at once.
 *
 * Core and model run the very same loop, over a device of the same kind.
 */
import { ModelCore, type PageExports } from "../property/model/core.ts";
import { instantiateCore } from "../support/core-instance.ts";

const INFLATEQ = 0;
const DEFLATEQ = 1;
const HELD = 4;
const ARENA_PTR = 0x1000;
const PAGE_OF_WASM = 65_536;

/** A driver's usual settings. */
const QUEUE_SIZE = 256;
const BUFFERS = 32;
export const PFNS = 256;

/** Completes everything posted on one queue, in order. */
export class InstantDevice {
  private readonly halves: Uint16Array;
  private readonly words: Uint32Array;
  /** Indices, into `halves`, of the driver area and, into `words`, of the device area. */
  private readonly driver: number;
  private readonly device: number;
  private used = 0;

  constructor(core: PageExports, buffer: ArrayBufferLike, queue: number) {
    this.halves = new Uint16Array(buffer, 0, buffer.byteLength >> 1);
    this.words = new Uint32Array(buffer, 0, buffer.byteLength >> 2);
    this.driver = (core.queue_driver_area(queue) >>> 0) / 2;
    this.device = (core.queue_device_area(queue) >>> 0) / 4;
  }

  completeAll(): void {
    const { halves, words, driver, device } = this;
    const posted = halves[driver + 1] ?? 0;
    while (this.used !== posted) {
      const entry = this.used % QUEUE_SIZE;
      words[device + 1 + 2 * entry] = halves[driver + 2 + entry] ?? 0;
      words[device + 2 + 2 * entry] = 0;
      this.used = (this.used + 1) & 0xffff;
    }
    halves[device * 2 + 1] = this.used;
  }
}

/** A guest with every frame free, its queues open and both devices at work. */
export class Guest {
  readonly core: PageExports;
  readonly frames: number;
  private readonly devices: readonly [InstantDevice, InstantDevice];

  constructor(core: PageExports, buffer: ArrayBufferLike, frames: number) {
    this.core = core;
    this.frames = frames;
    core.arena_open(ARENA_PTR, frames, QUEUE_SIZE, BUFFERS, PFNS);
    core.ledger_add(0, frames);
    const open = (queue: number) => {
      core.queue_open(queue, QUEUE_SIZE, 0, 4);
      return new InstantDevice(core, buffer, queue);
    };
    this.devices = [open(INFLATEQ), open(DEFLATEQ)];
  }

  /** One burst: post, notify, complete, settle. Returns the pages. */
  inflate(want: number): number {
    const posted = this.core.balloon_inflate(want);
    this.core.queue_publish(INFLATEQ);
    this.devices[INFLATEQ].completeAll();
    return this.settle(INFLATEQ, posted);
  }

  deflate(want: number): number {
    const posted = this.core.balloon_deflate(want);
    this.core.queue_publish(DEFLATEQ);
    this.devices[DEFLATEQ].completeAll();
    return this.settle(DEFLATEQ, posted);
  }

  private settle(queue: number, posted: number): number {
    const settled = this.core.balloon_settle(queue);
    if (settled !== posted) throw new Error(`queue ${queue}: ${posted} posted, ${settled} settled`);
    return settled;
  }

  /** Everything into the balloon and out again. Returns the pages moved. */
  roundTrip(): number {
    let pages = 0;
    for (let left = this.frames; left > 0; pages = this.frames) left -= this.inflate(left);
    if (this.core.ledger_count(HELD) !== this.frames) throw new Error("not all pages are held");
    for (let left = this.frames; left > 0; pages = 2 * this.frames) left -= this.deflate(left);
    return pages;
  }
}

/** `module`: of another core than the one that was built. */
export function coreGuest(frames: number, module?: WebAssembly.Module): Guest {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const core = instantiateCore(memory, undefined, module);
  const end = ARENA_PTR + (core.arena_bytes(frames, QUEUE_SIZE, BUFFERS, PFNS) >>> 0);
  memory.grow(Math.ceil(end / PAGE_OF_WASM) - 1);
  return new Guest(core, memory.buffer, frames);
}

export function modelGuest(frames: number): Guest {
  const bytes = new ModelCore(new ArrayBuffer(0)).arena_bytes(frames, QUEUE_SIZE, BUFFERS, PFNS);
  const buffer = new ArrayBuffer(Math.ceil((ARENA_PTR + bytes) / 8) * 8);
  return new Guest(new ModelCore(buffer), buffer, frames);
}
