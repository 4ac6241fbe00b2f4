/**
 * AML, the byte code of ACPI's DSDT, as far as hosts write devices in it: scopes, devices, named
 * constants, and methods that return a constant (ACPI 6.4, 20.2). Nothing is executed here; where
 * other methods and fields lie is kept for aml-run.ts.
 *
 * What is not understood ends the object that it is in: what stands before it there is kept. All is
 * bounded by the table's length, by a depth and by a number of objects.
 */
import { AmlCursor, EXTENDED, NotUnderstood, OP, type Path } from "./aml-cursor.ts";

/** A reference to another object: the last four letters of its path. */
export interface AmlReference {
  readonly refersTo: string;
}

/** A constant. */
export type AmlValue = number | string | Uint8Array | AmlReference | readonly AmlValue[];

/** A device, with the constants of its own by name: `_HID`, `_CRS`. */
export interface AmlDevice {
  readonly name: string;
  /** Names from the root on, with points between. */
  readonly path: string;
  readonly values: ReadonlyMap<string, AmlValue>;
}

/** Where the statements of a method lie. */
export interface AmlMethod {
  readonly path: Path;
  readonly argumentCount: number;
  readonly start: number;
  readonly end: number;
}

/** Bits of memory or of ports, which have a name. */
export interface AmlField {
  /** ACPI's number of an address space: 0 is memory, 1 are ports. */
  readonly space: number;
  /** Where the region begins that the field lies in. */
  readonly address: number;
  /** The field's first bit in that region, and how many they are. */
  readonly bit: number;
  readonly bits: number;
}

/** What a table's body has; the keys are paths. */
export interface AmlTable {
  readonly body: Uint8Array;
  /** Outer ones first. */
  readonly devices: readonly AmlDevice[];
  readonly methods: ReadonlyMap<string, AmlMethod>;
  readonly fields: ReadonlyMap<string, AmlField>;
}

const DEPTH_MAX = 16;
const OBJECTS_MAX = 20_000;

/** Reads a table's body. */
export function readAml(body: Uint8Array): AmlTable {
  const reader = new AmlReader(body);
  reader.list(body.length, [], 0);
  return reader;
}

class AmlReader implements AmlTable {
  readonly body: Uint8Array;
  readonly devices: AmlDevice[] = [];
  readonly methods = new Map<string, AmlMethod>();
  readonly fields = new Map<string, AmlField>();
  /** The constants of each device by its path: a scope elsewhere may add some. */
  private readonly valuesAt = new Map<string, Map<string, AmlValue>>();
  private readonly regions = new Map<string, { space: number; address: number }>();
  private readonly cursor: AmlCursor;
  private objects = 0;

  constructor(body: Uint8Array) {
    this.body = body;
    this.cursor = new AmlCursor(body);
  }

  /** Reads objects up to `end`, which are in `scope`. */
  list(end: number, scope: Path, depth: number): void {
    try {
      while (this.cursor.at < end) this.object(end, scope, depth);
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
    }
    this.cursor.at = end;
  }

  private object(end: number, scope: Path, depth: number): void {
    this.objects += 1;
    if (this.objects > OBJECTS_MAX || depth > DEPTH_MAX) throw new NotUnderstood();
    const op = this.cursor.byte();
    switch (op) {
      case OP.scope: {
        const scopeEnd = this.cursor.packageEnd(end);
        this.list(scopeEnd, this.cursor.path(scope), depth + 1);
        return;
      }
      case OP.name: {
        const path = this.cursor.path(scope);
        this.keep(path, this.value(end, depth));
        return;
      }
      case OP.method:
        this.method(this.cursor.packageEnd(end), scope, depth);
        return;
      case OP.if:
      case OP.else:
        this.cursor.at = this.cursor.packageEnd(end);
        return;
      case OP.alias:
        this.cursor.path();
        this.cursor.path();
        return;
      case OP.external:
        this.cursor.path();
        this.cursor.at += 2;
        return;
      case OP.extended:
        this.extended(end, scope, depth);
        return;
      default:
        throw new NotUnderstood();
    }
  }

  private extended(end: number, scope: Path, depth: number): void {
    switch (this.cursor.byte()) {
      case EXTENDED.device: {
        const deviceEnd = this.cursor.packageEnd(end);
        const path = this.cursor.path(scope);
        const values = new Map<string, AmlValue>();
        const joined = path.join(".");
        this.devices.push({ name: path.at(-1) ?? "", path: joined, values });
        this.valuesAt.set(joined, values);
        this.list(deviceEnd, path, depth + 1);
        return;
      }
      case EXTENDED.mutex:
        this.cursor.path();
        this.cursor.at += 1;
        return;
      case EXTENDED.event:
        this.cursor.path();
        return;
      case EXTENDED.region: {
        const path = this.cursor.path(scope).join(".");
        const space = this.cursor.byte();
        const address = this.value(end, depth);
        this.value(end, depth);
        if (typeof address === "number") this.regions.set(path, { space, address });
        return;
      }
      case EXTENDED.field:
        this.fieldsOf(this.cursor.packageEnd(end), scope);
        return;
      case EXTENDED.processor:
      case EXTENDED.powerResource:
      case EXTENDED.thermalZone:
      case EXTENDED.indexField:
      case EXTENDED.bankField:
        this.cursor.at = this.cursor.packageEnd(end);
        return;
      default:
        throw new NotUnderstood();
    }
  }

  /** Names and numbers of bits; what sets how they are accessed ends the list. */
  private fieldsOf(end: number, scope: Path): void {
    try {
      const region = this.regions.get(this.cursor.path(scope).join("."));
      this.cursor.byte();
      for (let bit = 0; region !== undefined && this.cursor.at < end; ) {
        const name = this.cursor.bitsName();
        const bits = this.cursor.length();
        if (name !== "") this.fields.set([...scope, name].join("."), { ...region, bit, bits });
        bit += bits;
      }
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
    }
    this.cursor.at = end;
  }

  /** A method without arguments that does nothing but return a constant is one. */
  private method(end: number, scope: Path, depth: number): void {
    try {
      const path = this.cursor.path(scope);
      const flags = this.cursor.byte();
      const start = this.cursor.at;
      this.methods.set(path.join("."), { path, argumentCount: flags & 7, start, end });
      if ((flags & 7) === 0 && this.cursor.at < end && this.cursor.byte() === OP.return) {
        const value = this.value(end, depth);
        if (this.cursor.at === end) this.keep(path, value);
      }
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
    }
    this.cursor.at = end;
  }

  /** What is in no device is of no interest. */
  private keep(path: Path, value: AmlValue): void {
    this.valuesAt.get(path.slice(0, -1).join("."))?.set(path.at(-1) ?? "", value);
  }

  private value(end: number, depth: number): AmlValue {
    this.objects += 1;
    if (this.objects > OBJECTS_MAX || depth > DEPTH_MAX) throw new NotUnderstood();
    const op = this.cursor.byte();
    switch (op) {
      case OP.zero:
      case OP.one:
        return op;
      case OP.ones:
        return Number.MAX_SAFE_INTEGER;
      case OP.byte:
        return this.cursor.number(1);
      case OP.word:
        return this.cursor.number(2);
      case OP.dword:
        return this.cursor.number(4);
      case OP.qword:
        return this.cursor.number(8);
      case OP.string:
        return this.cursor.text();
      case OP.buffer:
        return this.buffer(end, depth);
      case OP.package:
      case OP.longPackage:
        return this.package(end, depth, op === OP.longPackage);
      default:
        this.cursor.at -= 1;
        return { refersTo: this.cursor.path([]).at(-1) ?? "" };
    }
  }

  private buffer(outerEnd: number, depth: number): Uint8Array {
    const end = this.cursor.packageEnd(outerEnd);
    if (typeof this.value(end, depth + 1) !== "number") throw new NotUnderstood();
    const bytes = this.body.slice(this.cursor.at, end);
    this.cursor.at = end;
    return bytes;
  }

  private package(outerEnd: number, depth: number, isLong: boolean): AmlValue[] {
    const end = this.cursor.packageEnd(outerEnd);
    const count = isLong ? this.value(end, depth + 1) : this.cursor.byte();
    if (typeof count !== "number") throw new NotUnderstood();
    const found: AmlValue[] = [];
    while (this.cursor.at < end && found.length < count) found.push(this.value(end, depth + 1));
    this.cursor.at = end;
    return found;
  }
}
