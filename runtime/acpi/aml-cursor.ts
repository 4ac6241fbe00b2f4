/**
 * AML's bytes, read one after the other: operators, lengths, numbers and names (ACPI 6.4, 20.2).
 *
 *   length of a package: 00nnnnnn, or kk00nnnn and k more bytes, the lowest bits first
 */

export const OP = {
  zero: 0x00,
  one: 0x01,
  alias: 0x06,
  name: 0x08,
  byte: 0x0a,
  word: 0x0b,
  dword: 0x0c,
  string: 0x0d,
  qword: 0x0e,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
  longPackage: 0x13,
  method: 0x14,
  external: 0x15,
  dualName: 0x2e,
  multiName: 0x2f,
  extended: 0x5b,
  root: 0x5c,
  parent: 0x5e,
  if: 0xa0,
  else: 0xa1,
  return: 0xa4,
  ones: 0xff,
} as const;

/** The second byte of an operator that starts with OP.extended. */
export const EXTENDED = {
  mutex: 0x01,
  event: 0x02,
  region: 0x80,
  field: 0x81,
  device: 0x82,
  processor: 0x83,
  powerResource: 0x84,
  thermalZone: 0x85,
  indexField: 0x86,
  bankField: 0x87,
} as const;

/** Thrown for what is not understood; caught by the object around it. */
export class NotUnderstood extends Error {}

/** Names from the root on. */
export type Path = readonly string[];

export class AmlCursor {
  at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new NotUnderstood();
    return byte;
  }

  number(bytes: number): number {
    let value = 0;
    for (let index = 0; index < bytes; index++) value += this.byte() * 256 ** index;
    return value;
  }

  text(): string {
    let text = "";
    for (let code = this.byte(); code !== 0; code = this.byte()) text += String.fromCharCode(code);
    return text;
  }

  /** Reads a package's length and returns where it ends, which is not beyond `outerEnd`. */
  packageEnd(outerEnd: number): number {
    const start = this.at;
    const end = start + this.length();
    if (end > outerEnd || end < this.at) throw new NotUnderstood();
    return end;
  }

  /** Reads a number that is written as a package's length. */
  length(): number {
    const lead = this.byte();
    const more = lead >>> 6;
    return more === 0 ? lead & 0x3f : (lead & 0x0f) + 16 * this.number(more);
  }

  /** Reads what a field's bits are called; empty: they are reserved. */
  bitsName(): string {
    if (this.byte() === OP.zero) return "";
    this.at -= 1;
    return this.name();
  }

  /** Reads a path that may go on from `scope`. */
  path(scope: Path = []): Path {
    const from = [...scope];
    for (let lead = this.bytes[this.at]; lead === OP.root || lead === OP.parent; ) {
      if (lead === OP.root) from.length = 0;
      else from.pop();
      this.at += 1;
      lead = this.bytes[this.at];
    }
    const lead = this.byte();
    let names = 1;
    if (lead === OP.zero) return from;
    if (lead === OP.dualName) names = 2;
    else if (lead === OP.multiName) names = this.byte();
    else this.at -= 1;
    for (let left = names; left > 0; left--) from.push(this.name());
    return from;
  }

  private name(): string {
    let name = "";
    for (let letter = 0; letter < 4; letter++) name += String.fromCharCode(this.byte());
    if (!/^[A-Z_][A-Z0-9_]{3}$/.test(name)) throw new NotUnderstood();
    return name;
  }
}
