/**
 * The parts of an ELF file that a loader reads, and the functions in its symbol table.
 */

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly align: number;
}

export interface Elf {
  readonly bytes: Buffer;
  readonly bits: 32 | 64;
  readonly machine: number;
  readonly entry: number;
  readonly segments: readonly Segment[];
}

/** @throws Error for bytes that are no ELF file. */
export function parseElf(bytes: Buffer): Elf {
  if (bytes.toString("latin1", 0, 4) !== "\x7fELF") throw new Error("no ELF file");
  const wide = bytes[4] === 2;
  const word = (at: number) => (wide ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at));
  const start = word(wide ? 32 : 28);
  const size = bytes.readUInt16LE(wide ? 54 : 42);
  const count = bytes.readUInt16LE(wide ? 56 : 44);
  const segments = Array.from({ length: count }, (_, index): Segment => {
    const at = start + index * size;
    const fields = wide ? [8, 24, 32, 40, 48] : [4, 12, 16, 20, 28];
    const [offset, address, fileBytes, memoryBytes, align] = fields.map((field) =>
      word(at + field),
    );
    return {
      type: bytes.readUInt32LE(at),
      flags: bytes.readUInt32LE(at + (wide ? 4 : 24)),
      offset: offset ?? 0,
      address: address ?? 0,
      fileBytes: fileBytes ?? 0,
      memoryBytes: memoryBytes ?? 0,
      align: align ?? 0,
    };
  });
  return {
    bytes,
    bits: wide ? 64 : 32,
    machine: bytes.readUInt16LE(18),
    entry: word(24),
    segments,
  };
}

const SYMBOL_TABLE = 2;
const FUNCTION = 2;

/** The functions in an ELF file's symbol table, with their addresses. */
export function functionsOf({ bytes, bits }: Elf): Map<string, number> {
  const wide = bits === 64;
  const word = (at: number) => (wide ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at));
  const start = word(wide ? 40 : 32);
  const [size, count] = [0, 2].map((at) => bytes.readUInt16LE((wide ? 58 : 46) + at));
  const sections = Array.from({ length: count ?? 0 }, (_, index) => {
    const at = start + index * (size ?? 0);
    const [offset = 0, length = 0] = (wide ? [24, 32] : [16, 20]).map((field) => word(at + field));
    const link = bytes.readUInt32LE(at + (wide ? 40 : 24));
    return { type: bytes.readUInt32LE(at + 4), offset, length, link };
  });
  const table = sections.find(({ type }) => type === SYMBOL_TABLE);
  const names = sections[table?.link ?? -1];
  const found = new Map<string, number>();
  if (!table || !names) return found;
  const end = table.offset + table.length;
  for (let at = table.offset; at < end; at += wide ? 24 : 16) {
    const name = names.offset + bytes.readUInt32LE(at);
    if (((bytes[at + (wide ? 4 : 12)] ?? 0) & 15) !== FUNCTION) continue;
    found.set(bytes.toString("latin1", name, bytes.indexOf(0, name)), word(at + (wide ? 8 : 4)));
  }
  return found;
}
