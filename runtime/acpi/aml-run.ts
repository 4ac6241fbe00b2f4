/**
 * Runs a method of a table as far as an event's handler needs it: it looks at fields and says which
 * devices are notified (ACPI 6.4, 5.6.9, 20.2.5).
 *
 * Nothing is ever written. A statement that is not understood ends the block that it is in, and the
 * one behind that block is next; so a handler of several events tells of those that it can. All is
 * bounded by a depth and by a number of steps.
 */
import type { Width } from "../hal.ts";
import type { AmlField, AmlMethod, AmlTable } from "./aml.ts";
import { AmlCursor, NotUnderstood, OP, type Path } from "./aml-cursor.ts";

/** Reads `width` bytes at an address of memory or at a port. */
export type ReadSpace = (kind: "memory" | "port", address: number, width: Width) => number;

const DEPTH_MAX = 8;
const STEPS_MAX = 1000;

const RUN = {
  firstLocal: 0x60,
  firstArgument: 0x68,
  store: 0x70,
  add: 0x72,
  subtract: 0x74,
  and: 0x7b,
  or: 0x7d,
  notify: 0x86,
  bothTrue: 0x90,
  oneTrue: 0x91,
  not: 0x92,
  equal: 0x93,
  greater: 0x94,
  less: 0x95,
  nothing: 0xa3,
} as const;
const LOCALS = 8;
const ARGUMENTS = 7;

/** Operators of two numbers, as numbers of 32 bits; a truth is all ones. */
const BINARY: Readonly<Record<number, (a: number, b: number) => number>> = {
  [RUN.add]: (a, b) => (a + b) >>> 0,
  [RUN.subtract]: (a, b) => (a - b) >>> 0,
  [RUN.and]: (a, b) => (a & b) >>> 0,
  [RUN.or]: (a, b) => (a | b) >>> 0,
  [RUN.bothTrue]: (a, b) => truth(a !== 0 && b !== 0),
  [RUN.oneTrue]: (a, b) => truth(a !== 0 || b !== 0),
  [RUN.equal]: (a, b) => truth(a === b),
  [RUN.greater]: (a, b) => truth(a > b),
  [RUN.less]: (a, b) => truth(a < b),
};
/** Those of them whose result is stored, too. */
const STORED: readonly number[] = [RUN.add, RUN.subtract, RUN.and, RUN.or];

/** A device that was notified, by its path, and of what. */
export interface AmlNotification {
  readonly device: string;
  readonly value: number;
}

/** Runs a method. */
export function runAml(
  table: AmlTable,
  call: { method: AmlMethod; args: readonly number[]; read: ReadSpace },
): AmlNotification[] {
  const runner = new AmlRunner(table, call.read);
  try {
    runner.call(call.method, call.args, 0);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
  }
  return runner.notified;
}

/** The variables of one call. */
interface Frame {
  readonly method: AmlMethod;
  readonly locals: number[];
  readonly args: readonly number[];
  readonly depth: number;
}

class Returned extends Error {
  readonly value: number;

  constructor(value: number) {
    super();
    this.value = value;
  }
}

class AmlRunner {
  readonly notified: AmlNotification[] = [];
  private readonly table: AmlTable;
  private readonly read: ReadSpace;
  private readonly cursor: AmlCursor;
  private steps = 0;

  constructor(table: AmlTable, read: ReadSpace) {
    this.table = table;
    this.read = read;
    this.cursor = new AmlCursor(table.body);
  }

  call(method: AmlMethod, args: readonly number[], depth: number): number {
    if (depth > DEPTH_MAX) throw new NotUnderstood();
    const back = this.cursor.at;
    this.cursor.at = method.start;
    const frame = { method, locals: new Array<number>(LOCALS).fill(0), args, depth };
    try {
      this.block(method.end, frame);
      return 0;
    } catch (error) {
      if (error instanceof Returned) return error.value;
      throw error;
    } finally {
      this.cursor.at = back;
    }
  }

  private block(end: number, frame: Frame): void {
    try {
      while (this.cursor.at < end) this.statement(end, frame);
    } catch (error) {
      if (!(error instanceof NotUnderstood) || this.steps > STEPS_MAX) throw error;
    }
    this.cursor.at = end;
  }

  private statement(end: number, frame: Frame): void {
    const op = this.cursor.byte();
    switch (op) {
      case OP.if:
        this.choice(end, frame);
        return;
      case OP.return:
        throw new Returned(this.term(frame));
      case RUN.notify: {
        const device = this.find(frame, (path) => this.hasDevice(path));
        this.notified.push({ device, value: this.term(frame) });
        return;
      }
      case RUN.nothing:
        return;
      default:
        this.cursor.at -= 1;
        this.term(frame);
    }
  }

  private choice(end: number, frame: Frame): void {
    const thenEnd = this.cursor.packageEnd(end);
    const holds = this.term(frame) !== 0;
    if (holds) this.block(thenEnd, frame);
    this.cursor.at = thenEnd;
    if (this.cursor.at >= end || this.cursor.byte() !== OP.else) {
      this.cursor.at = thenEnd;
      return;
    }
    const elseEnd = this.cursor.packageEnd(end);
    if (!holds) this.block(elseEnd, frame);
    this.cursor.at = elseEnd;
  }

  private term(frame: Frame): number {
    this.steps += 1;
    if (this.steps > STEPS_MAX) throw new NotUnderstood();
    const op = this.cursor.byte();
    const binary = BINARY[op];
    if (binary !== undefined) {
      const left = this.term(frame);
      const result = binary(left, this.term(frame));
      if (STORED.includes(op)) this.store(result, frame);
      return result;
    }
    if (op === OP.zero || op === OP.one) return op;
    if (op === OP.ones) return truth(true);
    if (op === OP.byte) return this.cursor.number(1);
    if (op === OP.word) return this.cursor.number(2);
    if (op === OP.dword) return this.cursor.number(4);
    if (op === OP.qword) return this.cursor.number(8);
    if (op === RUN.not) return truth(this.term(frame) === 0);
    if (op === RUN.store) {
      const value = this.term(frame);
      this.store(value, frame);
      return value;
    }
    const local = frame.locals[op - RUN.firstLocal];
    if (local !== undefined) return local;
    if (op >= RUN.firstArgument && op < RUN.firstArgument + ARGUMENTS) {
      return frame.args[op - RUN.firstArgument] ?? 0;
    }
    this.cursor.at -= 1;
    return this.named(frame);
  }

  /** Only variables take a value: what a handler writes elsewhere is no concern of an observer. */
  private store(value: number, { locals }: Frame): void {
    const op = this.cursor.byte();
    if (op === OP.zero) return;
    if (locals[op - RUN.firstLocal] === undefined) throw new NotUnderstood();
    locals[op - RUN.firstLocal] = value;
  }

  private named(frame: Frame): number {
    const { methods, fields } = this.table;
    const path = this.find(frame, (it) => methods.has(it) || fields.has(it));
    const method = methods.get(path);
    const field = fields.get(path);
    if (method === undefined) return field === undefined ? 0 : this.field(field);
    const args = Array.from({ length: method.argumentCount }, () => this.term(frame));
    return this.call(method, args, frame.depth + 1);
  }

  private field({ space, address, bit, bits }: AmlField): number {
    const width = bits / 8;
    const isWhole = bit % 8 === 0 && (width === 1 || width === 2 || width === 4);
    if (space > 1 || !isWhole) throw new NotUnderstood();
    return this.read(space === 0 ? "memory" : "port", address + bit / 8, width);
  }

  /** A name counts where it stands, and else in the scopes around (ACPI 6.4, 5.3). */
  private find({ method }: Frame, isKnown: (path: string) => boolean): string {
    const start = this.cursor.at;
    for (let scope: Path = method.path; ; scope = scope.slice(0, -1)) {
      this.cursor.at = start;
      const path = this.cursor.path(scope).join(".");
      if (isKnown(path)) return path;
      if (scope.length === 0) throw new NotUnderstood();
    }
  }

  private hasDevice(path: string): boolean {
    return this.table.devices.some((it) => it.path === path);
  }
}

function truth(holds: boolean): number {
  return holds ? 0xffff_ffff : 0;
}
