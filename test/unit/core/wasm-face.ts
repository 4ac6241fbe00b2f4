/**
 * The machine-level face of a wasm module: what it imports and exports, with signatures.
 *
 * It reads the binary itself, because the JavaScript API tells names and kinds but no signatures.
 */

const SECTION = { type: 1, import: 2, function: 3, export: 7, data: 11 } as const;
const TYPES = new Map([
  [0x7f, "i32"],
  [0x7e, "i64"],
  [0x7d, "f32"],
  [0x7c, "f64"],
]);
const KINDS = ["func", "table", "memory", "global"] as const;
const HEADER_BYTES = 8;

export interface WasmFace {
  /** One line each, in the module's order: `hal.fence: () -> ()`. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly hasData: boolean;
}

class Reader {
  private readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new Error(`the module ends at ${this.at}`);
    this.at += 1;
    return byte;
  }

  /** An unsigned LEB128 number. */
  number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  take(length: number): Uint8Array {
    const part = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }

  text(): string {
    return new TextDecoder().decode(this.take(this.number()));
  }

  list<T>(item: () => T): T[] {
    return Array.from({ length: this.number() }, item);
  }
}

function sectionsOf(module: Uint8Array): Map<number, Reader> {
  const reader = new Reader(module, HEADER_BYTES);
  const sections = new Map<number, Reader>();
  while (!reader.done) {
    const id = reader.byte();
    sections.set(id, new Reader(reader.take(reader.number())));
  }
  return sections;
}

function valueType(reader: Reader): string {
  const code = reader.byte();
  return TYPES.get(code) ?? `0x${code.toString(16)}`;
}

function signature(reader: Reader): string {
  reader.byte();
  const parameters = reader.list(() => valueType(reader));
  const results = reader.list(() => valueType(reader));
  return `(${parameters.join(", ")}) -> (${results.join(", ")})`;
}

/** Limits of a memory: at least, and at most where a bit says so. */
function limits(reader: Reader): string {
  const hasMost = (reader.byte() & 1) !== 0;
  const least = reader.number();
  return hasMost ? `${least}..${reader.number()}` : `${least}..`;
}

export function readWasmFace(module: Uint8Array): WasmFace {
  const sections = sectionsOf(module);
  const listIn = <T>(id: number, item: (reader: Reader) => T): T[] => {
    const section = sections.get(id);
    return section === undefined ? [] : section.list(() => item(section));
  };
  const types = listIn(SECTION.type, signature);
  const functions: string[] = [];
  const imports = listIn(SECTION.import, (reader) => {
    const name = `${reader.text()}.${reader.text()}`;
    const kind = KINDS[reader.byte()];
    if (kind === "memory") return `${name}: memory ${limits(reader)}`;
    if (kind !== "func") throw new Error(`import ${name}: seen a ${kind}; the core has none`);
    const type = types[reader.number()] ?? "?";
    functions.push(type);
    return `${name}: ${type}`;
  });
  functions.push(...listIn(SECTION.function, (reader) => types[reader.number()] ?? "?"));
  const exports = listIn(SECTION.export, (reader) => {
    const name = reader.text();
    const kind = KINDS[reader.byte()];
    const index = reader.number();
    return kind === "func" ? `${name}: ${functions[index]}` : `${name}: ${kind}`;
  });
  return { imports, exports, hasData: sections.has(SECTION.data) };
}
