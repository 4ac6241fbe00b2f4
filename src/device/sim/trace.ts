/**
 * The trace: what happened between driver and device, in order. It keeps the latest entries up to a
 * limit and counts the others. Lines are made on reading, because most entries are never read.
 */

/** What an entry is about. */
export type TraceKind =
  | "pci"
  | "common"
  | "legacy"
  | "msix"
  | "device"
  | "isr"
  | "notify"
  | "mmio"
  | "queue"
  | "interrupt"
  | "host"
  | "log"
  | "fault"
  | "touch"
  | "verdict"
  | "hole";

/** One event between driver and device. */
export interface TraceEntry {
  /** Number of the entry since the machine was made, from 1. */
  readonly n: number;
  /** Virtual time in milliseconds. */
  readonly ms: number;
  readonly kind: TraceKind;
  /** What happened, in words: a field's name, an action. */
  readonly what: string;
  /** Numbers that belong to it, by name. */
  readonly fields: Readonly<Record<string, number | string>> | undefined;
}

/** Entries kept: enough for a bring-up and some bursts, few enough for one trace a test case. */
const TRACE_LIMIT = 4096;

/** The events of one machine, bounded: older entries fall out. */
export class Trace {
  private readonly ring: TraceEntry[] = [];
  private readonly limit: number;
  private readonly nowMs: () => number;
  private count = 0;

  constructor(nowMs: () => number, limit = TRACE_LIMIT) {
    this.nowMs = nowMs;
    this.limit = limit;
  }

  /** Adds an entry and returns its number. With a limit of 0 it keeps nothing. */
  add(kind: TraceKind, what: string, fields?: Readonly<Record<string, number | string>>): number {
    const n = this.count + 1;
    this.count = n;
    if (this.limit === 0) return n;
    this.ring[(n - 1) % this.limit] = { n, ms: this.nowMs(), kind, what, fields };
    return n;
  }

  /** How many older entries were dropped. */
  get lost(): number {
    return Math.max(0, this.count - this.limit);
  }

  /** Number of the last entry; 0 when there is none. */
  get last(): number {
    return this.count;
  }

  /** All entries still held, oldest first. */
  entries(): TraceEntry[] {
    const found: TraceEntry[] = [];
    for (let n = this.lost + 1; n <= this.count; n += 1) {
      found.push(this.ring[(n - 1) % this.limit] as TraceEntry);
    }
    return found;
  }

  /** The entry with this number, unless it was dropped. */
  at(n: number): TraceEntry | undefined {
    return n > this.lost && n <= this.count ? this.ring[(n - 1) % this.limit] : undefined;
  }

  /** Returns the trace as lines for people; the first line says how many entries were dropped. */
  lines(): string[] {
    const lines = this.entries().map(formatEntry);
    if (this.lost > 0) lines.unshift(`(${this.lost} earlier entries fell out)`);
    return lines;
  }
}

/** Fields that are addresses, bits or contents; they are hexadecimal, and all others decimal. */
const HEXADECIMAL = ["at", "address", "value", "isr", "offered"];

/** Returns an entry as one line. */
export function formatEntry(entry: TraceEntry): string {
  const fields = Object.entries(entry.fields ?? {}).map(
    ([name, value]) => ` ${name}=${show(name, value)}`,
  );
  return `#${entry.n} ${entry.ms.toFixed(3)}ms ${entry.kind} ${entry.what}${fields.join("")}`;
}

function show(name: string, value: number | string): string {
  if (typeof value === "string" || value < 10) return String(value);
  return HEXADECIMAL.includes(name) ? `0x${value.toString(16)}` : String(value);
}
