/**
 * Core and model side by side, each with memory and devices of its own.
 *
 * `compare` passes only when nothing that a caller or a device can see differs, and every sum of
 * the ledger is right.
 */
import { instantiateCore } from "../support/core-instance.ts";
import { ModelCore, type PageExports } from "./model/core.ts";
import { INFLATING, STATE_COUNT } from "./model/ledger.ts";
import { EVENT_INDEX, IN_ORDER, PACKED } from "./model/ring.ts";
import { type TinyDevice, TinyPackedDevice, TinySplitDevice } from "./tiny-device.ts";

export const INFLATEQ = 0;
export const DEFLATEQ = 1;
export type PageQueue = 0 | 1;

export interface Shape {
  readonly frames: number;
  readonly queueSize: number;
  readonly buffers: number;
  readonly pfns: number;
  /** EVENT_INDEX and so on, a bit each. */
  readonly features: number;
  /** Of the device area: 4, or 4096 for a legacy interface. Default 4. */
  readonly alignment?: number;
}

export interface Side {
  readonly core: PageExports;
  readonly view: DataView;
  devices: readonly [TinyDevice, TinyDevice];
}

const ARENA_PTR = 0x2000;
const CANARY_BYTES = 4096;
const CANARY = 0xa5;
const PAGE_OF_WASM = 65_536;

/** One memory for all sequences: what an earlier one left there is what a real guest finds. */
const memory = new WebAssembly.Memory({ initial: 4, maximum: 1024 });
let modelBuffer = new ArrayBuffer(1 << 16);

export function same(what: string, core: unknown, model: unknown): void {
  if (core !== model) throw new Error(`${what}: core ${core}, model ${model}`);
}

/** The same operations on core and model, and the comparison of all that can be seen of both. */
export class CoreAndModel {
  readonly shape: Shape;
  readonly core: Side;
  readonly model: Side;
  readonly modelCore: ModelCore;
  private readonly arenaEnd: number;

  constructor(shape: Shape, fence?: () => void) {
    const { frames, queueSize, buffers, pfns } = shape;
    const core = instantiateCore(memory, fence);
    this.shape = shape;
    this.arenaEnd = ARENA_PTR + (core.arena_bytes(frames, queueSize, buffers, pfns) >>> 0);
    const missing = this.arenaEnd + CANARY_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_OF_WASM));
    this.canaries().fill(CANARY);
    this.modelCore = new ModelCore(roomForModel(shape));
    this.core = this.start(core, new DataView(memory.buffer));
    this.model = this.start(this.modelCore, new DataView(modelBuffer));
  }

  private canaries() {
    const all = new Uint8Array(memory.buffer);
    const below = all.subarray(ARENA_PTR - CANARY_BYTES, ARENA_PTR);
    const above = all.subarray(this.arenaEnd, this.arenaEnd + CANARY_BYTES);
    return {
      fill: (value: number) => {
        below.fill(value);
        above.fill(value);
      },
      intact: () => [below, above].every((bytes) => bytes.every((byte) => byte === CANARY)),
    };
  }

  private start(core: PageExports, view: DataView): Side {
    const { frames, queueSize, buffers, pfns } = this.shape;
    core.arena_open(ARENA_PTR, frames, queueSize, buffers, pfns);
    return { core, view, devices: this.openQueues(core, view) };
  }

  private openQueues(core: PageExports, view: DataView): readonly [TinyDevice, TinyDevice] {
    const { queueSize: size, pfns, features, alignment = 4 } = this.shape;
    const eventIndex = (features & EVENT_INDEX) !== 0;
    const inOrder = (features & IN_ORDER) !== 0;
    const Device = (features & PACKED) !== 0 ? TinyPackedDevice : TinySplitDevice;
    const open = (queue: PageQueue) => {
      core.queue_open(queue, size, features, alignment);
      return new Device({ view, core, queue, size, pfns, eventIndex, inOrder });
    };
    return [open(INFLATEQ), open(DEFLATEQ)];
  }

  /** Device reset: everything is the guest's again, and the rings start over. */
  reset(): void {
    for (const side of [this.core, this.model]) {
      side.core.ledger_reclaim();
      side.devices = this.openQueues(side.core, side.view);
    }
  }

  /** Does the same to both; the answers must be equal, as unsigned numbers where they are u32. */
  both(what: string, act: (side: Side) => number): number {
    const core = act(this.core);
    same(what, core, act(this.model));
    return core;
  }

  get states(): Uint8Array {
    return this.modelCore.ledger.states;
  }

  /** All that can be seen from outside, run by run of the model's states. */
  compare(): void {
    const { core } = this.core;
    let sum = 0;
    for (let state = 0; state < STATE_COUNT; state++) {
      sum += this.both(`count of ${state}`, (side) => side.core.ledger_count(state) >>> 0);
    }
    same("sum of counts, frames", sum, this.shape.frames);
    for (const queue of [INFLATEQ, DEFLATEQ]) {
      this.both(`buffers in ${queue}`, (side) => side.core.queue_buffers_in_flight(queue));
      this.both(`pages in ${queue}`, (side) => side.core.queue_pages_in_flight(queue) >>> 0);
    }
    const inflating = core.ledger_count(INFLATING) >>> 0;
    same("pages on inflateq, inflating", core.queue_pages_in_flight(INFLATEQ) >>> 0, inflating);
    for (const { first, length, state } of runsOf(this.states)) {
      same(`frames ${first}+${length} in ${state}`, core.ledger_uniform(first, length, state), 1);
    }
  }

  /** What is too slow for every step: frame by frame, and that nothing wrote past the arena. */
  compareAtEnd(): void {
    this.compare();
    this.states.forEach((state, pfn) => {
      same(`state of frame ${pfn}`, this.core.core.ledger_state(pfn), state);
    });
    if (!this.canaries().intact()) throw new Error("the core wrote outside of its arena");
  }
}

function roomForModel({ frames, queueSize, buffers, pfns }: Shape): ArrayBuffer {
  const bytes =
    ARENA_PTR + new ModelCore(modelBuffer).arena_bytes(frames, queueSize, buffers, pfns);
  if (bytes > modelBuffer.byteLength) modelBuffer = new ArrayBuffer(bytes * 2);
  return modelBuffer;
}

export interface StateRun {
  readonly first: number;
  readonly length: number;
  readonly state: number;
}

/** The longest runs of frames in one state, ascending. */
export function runsOf(states: Uint8Array): StateRun[] {
  const runs: StateRun[] = [];
  let first = 0;
  for (let pfn = 1; pfn <= states.length; pfn++) {
    if (states[pfn] === states[first]) continue;
    runs.push({ first, length: pfn - first, state: states[first] ?? 0 });
    first = pfn;
  }
  return runs;
}
