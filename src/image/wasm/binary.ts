/**
 * Reads and edits WebAssembly binaries: just the sections that the builder needs. The others pass
 * through byte for byte.
 */

const HEADER_BYTES = 8;
/** The ids of sections. */
export const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  global: 6,
  export: 7,
  start: 8,
  dataCount: 12,
  data: 11,
};
const KIND_NAMES = ["function", "table", "memory", "global"] as const;
const VALUE_TYPES: Record<number, ValueType> = { 127: "i32", 126: "i64", 125: "f32", 124: "f64" };

type ValueType = "i32" | "i64" | "f32" | "f64";
type ExternalKind = (typeof KIND_NAMES)[number];

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Size of a memory or a table; of a memory in pages of 64 KiB. */
interface Limits {
  readonly least: number;
  /** Absent where there is no limit. */
  readonly most?: number;
}

export interface WasmImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
  /** Of a function. */
  readonly signature?: Signature;
  /** Of a memory or a table. */
  readonly limits?: Limits;
}

export interface WasmExport {
  readonly name: string;
  readonly kind: ExternalKind;
  readonly signature?: Signature;
}

export interface Section {
  readonly id: number;
  /** Where the section's content starts and ends. */
  readonly start: number;
  readonly end: number;
  /** Where its id byte is. */
  readonly head: number;
}

/** Reads the numbers and names of a module, from a place on. */
export class Reader {
  at: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new RangeError("the WebAssembly binary ends too early");
    return value;
  }

  unsigned(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number in the WebAssembly binary is too long");
  }

  signed(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return byte & 0x40 ? value - 2 ** (shift + 7) : value;
    }
    throw new RangeError("a number in the WebAssembly binary is too long");
  }

  text(): string {
    const length = this.unsigned();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  valueTypes(): ValueType[] {
    return Array.from({ length: this.unsigned() }, () => {
      const type = VALUE_TYPES[this.byte()];
      if (!type) throw new RangeError("a value type that is not a number");
      return type;
    });
  }

  limits(): Limits {
    const hasMost = (this.byte() & 1) !== 0;
    const least = this.unsigned();
    return hasMost ? { least, most: this.unsigned() } : { least };
  }
}

/** Returns the sections in their order. */
export function sections(bytes: Uint8Array): Section[] {
  const found: Section[] = [];
  const reader = new Reader(bytes, HEADER_BYTES);
  while (reader.at < bytes.length) {
    const head = reader.at;
    const id = reader.byte();
    const size = reader.unsigned();
    found.push({ id, head, start: reader.at, end: reader.at + size });
    reader.at += size;
  }
  return found;
}

function readerOf(bytes: Uint8Array, id: number): Reader | undefined {
  const section = sections(bytes).find((candidate) => candidate.id === id);
  return section && new Reader(bytes, section.start);
}

function signatures(bytes: Uint8Array): Signature[] {
  const reader = readerOf(bytes, SECTION.type);
  if (!reader) return [];
  return Array.from({ length: reader.unsigned() }, () => {
    if (reader.byte() !== 0x60) throw new RangeError("a type that is not a function's");
    return { params: reader.valueTypes(), results: reader.valueTypes() };
  });
}

/** What an import says of itself behind its kind. */
function readDescription(reader: Reader, kind: ExternalKind, types: readonly Signature[]) {
  if (kind === "function") {
    const signature = types[reader.unsigned()];
    return signature && { signature };
  }
  if (kind === "table") reader.byte();
  if (kind !== "global") return { limits: reader.limits() };
  reader.at += 2;
  return undefined;
}

function kindOf(byte: number): ExternalKind {
  const kind = KIND_NAMES[byte];
  if (!kind) throw new RangeError(`an import or export of unknown kind ${byte}`);
  return kind;
}

/** Returns the imports in their order, functions with their signature, memories with limits. */
export function readImports(bytes: Uint8Array): WasmImport[] {
  const types = signatures(bytes);
  const reader = readerOf(bytes, SECTION.import);
  if (!reader) return [];
  return Array.from({ length: reader.unsigned() }, () => {
    const module = reader.text();
    const name = reader.text();
    const kind = kindOf(reader.byte());
    return { module, name, kind, ...readDescription(reader, kind, types) };
  });
}

/** Returns the exports in their order, functions with their signature. */
export function readExports(bytes: Uint8Array): WasmExport[] {
  const types = signatures(bytes);
  const imported = readImports(bytes).filter((entry) => entry.kind === "function");
  const functions: (Signature | undefined)[] = imported.map((entry) => entry.signature);
  const declared = readerOf(bytes, SECTION.function);
  if (declared) {
    const count = declared.unsigned();
    for (let index = 0; index < count; index++) functions.push(types[declared.unsigned()]);
  }
  const reader = readerOf(bytes, SECTION.export);
  if (!reader) return [];
  return Array.from({ length: reader.unsigned() }, () => {
    const name = reader.text();
    const kind = kindOf(reader.byte());
    const signature = kind === "function" ? functions[reader.unsigned()] : undefined;
    if (kind !== "function") reader.unsigned();
    return signature ? { name, kind, signature } : { name, kind };
  });
}

/** Returns the initial value of the first global: LLVM's linker makes it the stack pointer. */
export function readFirstGlobal(bytes: Uint8Array): number | undefined {
  const reader = readerOf(bytes, SECTION.global);
  if (!reader || reader.unsigned() === 0) return undefined;
  reader.at += 2;
  return reader.byte() === 0x41 ? reader.signed() : undefined;
}

/** Whether the module brings data for its memory. */
export function hasData(bytes: Uint8Array): boolean {
  return readerOf(bytes, SECTION.data) !== undefined;
}

/** Returns the number of globals that the module defines. */
export function countGlobals(bytes: Uint8Array): number {
  return readerOf(bytes, SECTION.global)?.unsigned() ?? 0;
}

/**
 * Returns the module without its data and without its start function, which would clear memory:
 * for a program whose memory comes from a snapshot.
 */
export function withoutData(bytes: Uint8Array): Uint8Array {
  const dropped: readonly number[] = [SECTION.data, SECTION.dataCount, SECTION.start];
  const kept = sections(bytes).filter((section) => !dropped.includes(section.id));
  return Buffer.concat([
    bytes.subarray(0, HEADER_BYTES),
    ...kept.map((section) => bytes.subarray(section.head, section.end)),
  ]);
}

/** Returns the number as a module has it. */
export function unsignedBytes(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

/** Returns the module with another initial size, in pages of 64 KiB, of its imported memory. */
export function withInitialPages(bytes: Uint8Array, pages: number): Uint8Array {
  const section = sections(bytes).find((candidate) => candidate.id === SECTION.import);
  if (!section) throw new RangeError("the module imports nothing");
  const reader = new Reader(bytes, section.start);
  const count = reader.unsigned();
  for (let index = 0; index < count; index++) {
    reader.text();
    reader.text();
    const kind = kindOf(reader.byte());
    if (kind === "memory") {
      const from = reader.at + 1;
      reader.limits();
      const after = new Reader(bytes, from);
      after.unsigned();
      const content = Buffer.concat([
        bytes.subarray(section.start, from),
        Uint8Array.from(unsignedBytes(pages)),
        bytes.subarray(after.at, section.end),
      ]);
      return Buffer.concat([
        bytes.subarray(0, section.head),
        Uint8Array.from([SECTION.import, ...unsignedBytes(content.length)]),
        content,
        bytes.subarray(section.end),
      ]);
    }
    readDescription(reader, kind, []);
  }
  throw new RangeError("the module imports no memory");
}
