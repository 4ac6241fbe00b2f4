/**
 * The page-frame ledger once more, in plain TypeScript: an array with one state for each frame.
 *
 * It must share no code with the core: it is what the core is judged by. Every rule is written in
 * the most obvious way, by looking at the frames, or at the blocks one after the other.
 */

/** Thrown where the core traps. Nothing has changed then. */
export class ModelTrap extends Error {}

export const NO_FRAME = 0xffff_ffff;
export const STATE_COUNT = 8;
export const RESERVED = 0;
export const USED = 1;
export const FREE = 2;
export const INFLATING = 3;
export const HELD = 4;
export const DEFLATING = 5;
/** What one huge page of the host covers: 2 MiB. */
const BLOCK_FRAMES = 512;

/** Frames `first` to `first + length - 1`. */
export interface Run {
  readonly first: number;
  readonly length: number;
}

function trapUnless(condition: boolean, what: string): void {
  if (!condition) throw new ModelTrap(what);
}

export class LedgerModel {
  /** The state of each frame. */
  readonly states: Uint8Array;
  readonly counts = new Array<number>(STATE_COUNT).fill(0);
  /** Free and held frames of each block. */
  private readonly tallies: ReadonlyMap<number, Uint16Array>;
  /** The block that is being taken whole, by the state that it is taken from. */
  private readonly begun = new Map<number, number>();
  /** Frames that a balloon takes at once. */
  private unit = BLOCK_FRAMES;

  constructor(frames: number) {
    this.states = new Uint8Array(frames);
    this.counts[RESERVED] = frames;
    const blocks = Math.ceil(frames / BLOCK_FRAMES);
    this.tallies = new Map([
      [FREE, new Uint16Array(blocks)],
      [HELD, new Uint16Array(blocks)],
    ]);
  }

  get frames(): number {
    return this.states.length;
  }

  exists({ first, length }: Run): boolean {
    return first < this.frames && length <= this.frames - first;
  }

  uniform({ first, length }: Run, state: number): boolean {
    if (length === 0 || !this.exists({ first, length })) return false;
    for (let pfn = first; pfn < first + length; pfn++) {
      if (this.states[pfn] !== state) return false;
    }
    return true;
  }

  /** Every transition there is. */
  move(run: Run, from: number, to: number): void {
    trapUnless(this.exists(run), "no such frames");
    if (run.length === 0) return;
    trapUnless(this.uniform(run, from), `not all in state ${from}`);
    this.states.fill(to, run.first, run.first + run.length);
    this.counts[from] = (this.counts[from] ?? 0) - run.length;
    this.counts[to] = (this.counts[to] ?? 0) + run.length;
    this.addToTally(run, from, -1);
    this.addToTally(run, to, 1);
  }

  private addToTally({ first, length }: Run, state: number, sign: number): void {
    const tally = this.tallies.get(state);
    if (tally === undefined) return;
    let pfn = first;
    while (pfn < first + length) {
      const block = Math.floor(pfn / BLOCK_FRAMES);
      const end = Math.min((block + 1) * BLOCK_FRAMES, first + length);
      tally[block] = (tally[block] ?? 0) + sign * (end - pfn);
      pfn = end;
    }
  }

  private tallyOf(state: number): Uint16Array {
    const tally = this.tallies.get(state);
    if (tally === undefined) throw new Error(`no tally of state ${state}`);
    return tally;
  }

  private wholeBlock(state: number): number {
    return this.tallyOf(state).indexOf(BLOCK_FRAMES);
  }

  private partBlock(state: number): number {
    return this.tallyOf(state).findIndex((frames) => frames > 0 && frames < BLOCK_FRAMES);
  }

  /** The first run of `state` in a block that has one, cut to `most`. */
  private runIn(block: number, state: number, most: number): Run {
    const first = this.states.indexOf(state, block * BLOCK_FRAMES);
    const end = Math.min((block + 1) * BLOCK_FRAMES, this.frames, first + most);
    let pfn = first;
    while (pfn < end && this.states[pfn] === state) pfn += 1;
    return { first, length: pfn - first };
  }

  /** free -> used: pieces of blocks first, then a whole one to break. */
  allocate(most: number): Run | undefined {
    const part = this.partBlock(FREE);
    const block = part < 0 ? this.wholeBlock(FREE) : part;
    if (block < 0 || most === 0) return undefined;
    const run = this.runIn(block, FREE, most);
    this.move(run, FREE, USED);
    return run;
  }

  setUnit(frames: number): void {
    trapUnless(frames > 0 && BLOCK_FRAMES % frames === 0, "no part of a block");
    this.unit = frames;
  }

  /** Where a balloon takes up to `most` of `want` frames from. */
  find(state: number, want: number, most: number): Run | undefined {
    if (this.unit === BLOCK_FRAMES) return this.findWholeFirst(state, want, most);
    if (this.unit === 1) return this.findLowest(state, most);
    if (most < this.unit) return undefined;
    for (let first = 0; first < this.frames; first += this.unit) {
      const run = { first, length: this.unit };
      if (this.exists(run) && this.uniform(run, state)) return run;
    }
    return undefined;
  }

  private findLowest(state: number, most: number): Run | undefined {
    const first = this.states.indexOf(state);
    return first < 0 ? undefined : this.runIn(Math.floor(first / BLOCK_FRAMES), state, most);
  }

  /**
   * The block that was begun, then whole blocks while at least one is wanted, then pieces, and only
   * then a whole block to break.
   */
  private findWholeFirst(state: number, want: number, most: number): Run | undefined {
    let block = this.begunBlock(state);
    if (block === undefined) {
      const whole = this.wholeBlock(state);
      const part = this.partBlock(state);
      const takesWhole = whole >= 0 && (want >= BLOCK_FRAMES || part < 0);
      block = takesWhole ? whole : part;
      if (takesWhole) this.begun.set(state, block);
      else this.begun.delete(state);
    }
    return block < 0 ? undefined : this.runIn(block, state, most);
  }

  private begunBlock(state: number): number | undefined {
    const block = this.begun.get(state);
    if (block === undefined) return undefined;
    const left = this.tallyOf(state)[block] ?? 0;
    return left > 0 && left < BLOCK_FRAMES ? block : undefined;
  }

  /** Everything that the device had becomes free. */
  reclaim(): void {
    for (let pfn = 0; pfn < this.frames; pfn++) {
      const state = this.states[pfn] ?? RESERVED;
      if (state >= INFLATING) this.move({ first: pfn, length: 1 }, state, FREE);
    }
  }
}
