/**
 * How a driver ended: what becomes of it after it came, beside the rules that it broke.
 *
 *   never came --- a write to device_status ---> (coming) --- DRIVER_OK ---> up
 *   (coming), at rest, or FAILED ------> gave up
 *   up, a change of num_pages unread --> hung
 *   up, DEVICE_NEEDS_RESET ignored ----> lost        up, taken out --> lost
 *   up, then reset and left alone -----> left
 */

import { formatEntry, type Trace, type TraceEntry, type TraceKind } from "../sim/trace.ts";
import { STATUS } from "../spec/numbers.ts";

/** How a driver ended, as `BalloonHost.outcome` tells it. */
export interface Outcome {
  /**
   * - `up`: it set DRIVER_OK, and nothing speaks against it.
   * - `gave up`: it set FAILED, or stopped before DRIVER_OK.
   * - `never came`: no driver wrote to device_status since power-on.
   * - `lost`: it was up, and the device was taken out, or asks for a reset and has none.
   * - `hung`: it is up and does not read the configuration, of whose change it was told.
   * - `left`: it was up, reset the device and did not come back.
   */
  readonly end: "up" | "gave up" | "never came" | "lost" | "hung" | "left";
  /** Why, in one sentence without a full stop. */
  readonly why: string;
  /** The last accesses before that, as lines of the trace, oldest first. Empty when `up`. */
  readonly steps: readonly string[];
}

/** The last accesses that are told. */
const STEPS = 12;
/** How far back they are looked for. */
const LOOK_BACK = 200;

/** A driver that was told of a change and does not look at it for so long hangs. */
export const ANSWER_MS = 1000;

const ACCESSES: readonly TraceKind[] = [
  ...(["common", "legacy", "msix", "device", "isr", "notify", "mmio", "queue", "hole"] as const),
];

export class DriverLife {
  private readonly trace: Trace;
  private readonly nowMs: () => number;
  private came = false;
  private wasUp = false;
  private out = false;
  /** When the driver was told of a change that it has not looked at. */
  private toldMs: number | undefined;
  /** Why it gave up, and the steps before. */
  private end: Outcome | undefined;

  constructor(trace: Trace, nowMs: () => number) {
    this.trace = trace;
    this.nowMs = nowMs;
  }

  /** Power-on: what was before is forgotten. */
  begin(): void {
    this.came = false;
    this.wasUp = false;
    this.out = false;
    this.toldMs = undefined;
    this.end = undefined;
  }

  /** The guest came from another host, with the device in this status. */
  movedIn(status: number): void {
    this.begin();
    if (status !== 0) this.statusWritten(status, status);
  }

  /** The device was taken out. */
  takenOut(): void {
    this.out = true;
    this.end = this.ending("lost", "the device was taken out");
  }

  /** The driver wrote device_status, which is `status` now. */
  statusWritten(written: number, status: number): void {
    this.came = true;
    if (written === 0) {
      this.driverReset();
      return;
    }
    this.end = (status & STATUS.failed) === 0 ? undefined : (this.end ?? this.failed(status));
    this.wasUp = (status & STATUS.driverOk) !== 0;
  }

  /** The device sent an interrupt for a change of the configuration. */
  told(): void {
    this.toldMs ??= this.nowMs();
  }

  /** The driver reads the configuration. */
  looked(): void {
    this.toldMs = undefined;
  }

  outcome(status: number): Outcome {
    const { end, toldMs } = this;
    if (this.out && end !== undefined) return end;
    if (!this.came) return this.ending("never came", "no driver wrote to device_status");
    if (end !== undefined) return end;
    if ((status & STATUS.driverOk) === 0) {
      const why = `it stops at device_status ${status}${this.afterRead()}`;
      return this.ending("gave up", why);
    }
    if ((status & STATUS.needsReset) !== 0) {
      return this.ending("lost", "the device asks for a reset and has none");
    }
    if (toldMs !== undefined && this.nowMs() - toldMs >= ANSWER_MS) {
      const why = `it was told of a change at ${toldMs.toFixed(3)} ms and reads no configuration`;
      return this.ending("hung", why);
    }
    return { end: "up", why: `device_status is ${status}`, steps: [] };
  }

  private driverReset(): void {
    this.toldMs = undefined;
    // What made it give up says more than the reset that follows.
    if (this.end !== undefined) return;
    this.end = this.wasUp
      ? this.ending("left", "it was up, and reset the device")
      : this.ending("gave up", `it reset the device before DRIVER_OK${this.afterRead()}`);
  }

  private failed(status: number): Outcome {
    const why = `it set FAILED (device_status ${status})${this.afterRead()}`;
    return this.ending("gave up", why);
  }

  private ending(end: Outcome["end"], why: string): Outcome {
    return { end, why, steps: this.lastAccesses().slice(-STEPS).map(formatEntry) };
  }

  /** What it read last, before it wrote to device_status. */
  private afterRead(): string {
    const accesses = this.lastAccesses();
    const isStatus = ({ what }: TraceEntry) => /status$/i.test(what);
    const read = accesses.findLast((one) => one.what.startsWith("read ") && !isStatus(one));
    if (read === undefined) return "";
    const name = read.what.slice("read ".length);
    const about = /^queue/i.test(name) ? selectedQueue(accesses, read) : "";
    return `, after it read ${name} ${read.fields?.value ?? "?"}${about}`;
  }

  private lastAccesses(): TraceEntry[] {
    const { trace } = this;
    const found: TraceEntry[] = [];
    for (let n = Math.max(1, trace.last - LOOK_BACK); n <= trace.last; n += 1) {
      const entry = trace.at(n);
      if (entry !== undefined && ACCESSES.includes(entry.kind)) found.push(entry);
    }
    return found;
  }
}

/** The queue that was selected when a register of a queue was read. */
function selectedQueue(accesses: readonly TraceEntry[], read: TraceEntry): string {
  const select = accesses.findLast(({ n, what }) => n < read.n && /write queue_?sel/i.test(what));
  return select === undefined ? "" : ` of queue ${select.fields?.value}`;
}
