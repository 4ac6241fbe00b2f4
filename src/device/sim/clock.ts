/**
 * The machine's virtual clock and the work that the device has planned. Work runs in the order of
 * its due time, equal times in the order of planning, so that a run can be repeated. Only `advance`
 * and `run` let work run, so it never runs inside a driver's access.
 */

interface Work {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** The most pieces of work in one `run`: a schedule that plans more than this loops. */
const RUN_LIMIT = 1_000_000;

export class Clock {
  /**
   * Counts how often the driver could have acted. While it stays the same, the driver cannot have
   * touched its memory.
   */
  turn = 0;
  private currentMs = 0;
  private planned: Work[] = [];
  private order = 0;

  /** Virtual milliseconds since the machine was made; may be fractional, never goes back. */
  get nowMs(): number {
    return this.currentMs;
  }

  /** How many pieces of work are planned. */
  get pending(): number {
    return this.planned.length;
  }

  /** Moves the clock by the cost of one access and runs nothing. */
  tick(ms: number): void {
    this.turn += 1;
    this.currentMs += ms;
  }

  /** Continues from another machine's clock. Work that is planned here stays planned. */
  moveTo(ms: number, turn: number): void {
    this.currentMs = Math.max(this.currentMs, ms);
    this.turn = Math.max(this.turn, turn) + 1;
  }

  /** Plans work `inMs` from now. Returns a function that cancels it. */
  plan(inMs: number, run: () => void): () => void {
    this.order += 1;
    const work = { dueMs: this.currentMs + inMs, order: this.order, run };
    this.planned.push(work);
    return () => {
      this.planned = this.planned.filter((other) => other !== work);
    };
  }

  /** Moves the clock by `ms` and runs the work that becomes due. */
  advance(ms: number): void {
    const untilMs = this.currentMs + ms;
    this.runUntil(untilMs);
    this.currentMs = Math.max(this.currentMs, untilMs);
  }

  /** Runs all planned work, moving the clock to each due time. Returns how many pieces ran. */
  run(): number {
    return this.runUntil(Number.POSITIVE_INFINITY);
  }

  /** Runs one piece of planned work before its time, the n-th that was planned. False: no such. */
  runEarly(n: number): boolean {
    const work = this.planned.splice(n, 1)[0];
    if (work === undefined) return false;
    this.turn += 1;
    work.run();
    return true;
  }

  private runUntil(untilMs: number): number {
    for (let ran = 0; ran < RUN_LIMIT; ran += 1) {
      const work = this.takeDue(untilMs);
      if (work === undefined) return ran;
      this.currentMs = Math.max(this.currentMs, work.dueMs);
      this.turn += 1;
      work.run();
    }
    throw new Error(`clock: more than ${RUN_LIMIT} pieces of work in one run; a schedule loops`);
  }

  private takeDue(untilMs: number): Work | undefined {
    let best = -1;
    for (let i = 0; i < this.planned.length; i += 1) {
      const work = this.planned[i] as Work;
      if (work.dueMs > untilMs) continue;
      const leader = best < 0 ? undefined : (this.planned[best] as Work);
      if (leader === undefined || before(work, leader)) best = i;
    }
    return best < 0 ? undefined : this.planned.splice(best, 1)[0];
  }
}

function before(a: Work, b: Work): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
