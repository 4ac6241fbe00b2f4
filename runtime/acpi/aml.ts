/**
 * AML, the byte code of ACPI's DSDT, as far as hosts write devices in it: scopes, devices, named
 * constants, and methods that return a constant (ACPI 6.4, 20.2). Nothing is executed.
 *
 *   length of a package: 00nnnnnn, or kk00nnnn and k more bytes, the lowest bits first
 *
 * What is not understood ends the object that it is in: what stands before it there is kept. All is
 * bounded by the table's length, by a depth and by a number of objects.
 */

/** A reference to another object: the last four letters of its path. */
export interface AmlReference {
  readonly refersTo: string;
}

/** A constant. */
export type AmlValue = number | string | Uint8Array | AmlReference | readonly AmlValue[];

/** A device, with the constants of its own by name: `_HID`, `_CRS`. */
export interface AmlDevice {
  readonly name: string;
  readonly values: ReadonlyMap<string, AmlValue>;
}

const DEPTH_MAX = 16;
const OBJECTS_MAX = 20_000;

const OP = {
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
const EXTENDED = {
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
class NotUnderstood extends Error {}

/** Returns all devices of a table's body, outer ones first. */
export function readAml(body: Uint8Array): AmlDevice[] {
  const reader = new AmlReader(body);
  reader.list(body.length, [], 0);
  return reader.devices;
}

/** Names from the root on. */
type Path = readonly string[];

class AmlReader {
  readonly devices: AmlDevice[] = [];
  /** The constants of each device by its path: a scope elsewhere may add some. */
  private readonly valuesAt = new Map<string, Map<string, AmlValue>>();
  private readonly bytes: Uint8Array;
  private at = 0;
  private objects = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Reads objects up to `end`, which are in `scope`. */
  list(end: number, scope: Path, depth: number): void {
    try {
      while (this.at < end) this.object(end, scope, depth);
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
    }
    this.at = end;
  }

  private object(end: number, scope: Path, depth: number): void {
    this.objects += 1;
    if (this.objects > OBJECTS_MAX || depth > DEPTH_MAX) throw new NotUnderstood();
    const op = this.byte();
    switch (op) {
      case OP.scope: {
        const scopeEnd = this.packageEnd(end);
        this.list(scopeEnd, this.path(scope), depth + 1);
        return;
      }
      case OP.name: {
        const path = this.path(scope);
        this.keep(path, this.value(end, depth));
        return;
      }
      case OP.method:
        this.method(this.packageEnd(end), scope, depth);
        return;
      case OP.if:
      case OP.else:
        this.at = this.packageEnd(end);
        return;
      case OP.alias:
        this.path();
        this.path();
        return;
      case OP.external:
        this.path();
        this.at += 2;
        return;
      case OP.extended:
        this.extended(end, scope, depth);
        return;
      default:
        throw new NotUnderstood();
    }
  }

  private extended(end: number, scope: Path, depth: number): void {
    switch (this.byte()) {
      case EXTENDED.device: {
        const deviceEnd = this.packageEnd(end);
        const path = this.path(scope);
        const values = new Map<string, AmlValue>();
        this.devices.push({ name: path.at(-1) ?? "", values });
        this.valuesAt.set(path.join("."), values);
        this.list(deviceEnd, path, depth + 1);
        return;
      }
      case EXTENDED.mutex:
        this.path();
        this.at += 1;
        return;
      case EXTENDED.event:
        this.path();
        return;
      case EXTENDED.region:
        this.path();
        this.at += 1;
        this.value(end, depth);
        this.value(end, depth);
        return;
      case EXTENDED.field:
      case EXTENDED.processor:
      case EXTENDED.powerResource:
      case EXTENDED.thermalZone:
      case EXTENDED.indexField:
      case EXTENDED.bankField:
        this.at = this.packageEnd(end);
        return;
      default:
        throw new NotUnderstood();
    }
  }

  /** A method without arguments that does nothing but return a constant is one. */
  private method(end: number, scope: Path, depth: number): void {
    try {
      const path = this.path(scope);
      const flags = this.byte();
      if ((flags & 7) === 0 && this.at < end && this.byte() === OP.return) {
        const value = this.value(end, depth);
        if (this.at === end) this.keep(path, value);
      }
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
    }
    this.at = end;
  }

  /** What is in no device is of no interest. */
  private keep(path: Path, value: AmlValue): void {
    this.valuesAt.get(path.slice(0, -1).join("."))?.set(path.at(-1) ?? "", value);
  }

  private value(end: number, depth: number): AmlValue {
    this.objects += 1;
    if (this.objects > OBJECTS_MAX || depth > DEPTH_MAX) throw new NotUnderstood();
    const op = this.byte();
    switch (op) {
      case OP.zero:
      case OP.one:
        return op;
      case OP.ones:
        return Number.MAX_SAFE_INTEGER;
      case OP.byte:
        return this.number(1);
      case OP.word:
        return this.number(2);
      case OP.dword:
        return this.number(4);
      case OP.qword:
        return this.number(8);
      case OP.string:
        return this.text();
      case OP.buffer:
        return this.buffer(end, depth);
      case OP.package:
      case OP.longPackage:
        return this.package(end, depth, op === OP.longPackage);
      default:
        this.at -= 1;
        return { refersTo: this.path([]).at(-1) ?? "" };
    }
  }

  private buffer(outerEnd: number, depth: number): Uint8Array {
    const end = this.packageEnd(outerEnd);
    if (typeof this.value(end, depth + 1) !== "number") throw new NotUnderstood();
    const bytes = this.bytes.slice(this.at, end);
    this.at = end;
    return bytes;
  }

  private package(outerEnd: number, depth: number, isLong: boolean): AmlValue[] {
    const end = this.packageEnd(outerEnd);
    const count = isLong ? this.value(end, depth + 1) : this.byte();
    if (typeof count !== "number") throw new NotUnderstood();
    const found: AmlValue[] = [];
    while (this.at < end && found.length < count) found.push(this.value(end, depth + 1));
    this.at = end;
    return found;
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new NotUnderstood();
    return byte;
  }

  private number(bytes: number): number {
    let value = 0;
    for (let index = 0; index < bytes; index++) value += this.byte() * 256 ** index;
    return value;
  }

  private text(): string {
    let text = "";
    for (let code = this.byte(); code !== 0; code = this.byte()) text += String.fromCharCode(code);
    return text;
  }

  /** Reads a package's length and returns where it ends, which is not beyond `outerEnd`. */
  private packageEnd(outerEnd: number): number {
    const start = this.at;
    const lead = this.byte();
    const more = lead >>> 6;
    const length = more === 0 ? lead & 0x3f : (lead & 0x0f) + 16 * this.number(more);
    const end = start + length;
    if (end > outerEnd || end < this.at) throw new NotUnderstood();
    return end;
  }

  /** Reads a path that may go on from `scope`. */
  private path(scope: Path = []): Path {
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
