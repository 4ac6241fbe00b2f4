/**
 * A WebAssembly module with every global that can change exported, so that its state outside of its
 * memory can be saved and put back.
 */

const HEADER_BYTES = 8;
const GLOBAL_SECTION = 6;
const EXPORT_SECTION = 7;
const KIND_GLOBAL = 3;
const END = 0x0b;

/** Every opened global is exported under this name, with its number behind. */
export const GLOBAL_NAME = "global ";

class Reader {
  at: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new RangeError("the module ends too early");
    return value;
  }

  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  do {
    const low = left % 128;
    left = Math.floor(left / 128);
    bytes.push(left > 0 ? low | 0x80 : low);
  } while (left > 0);
  return bytes;
}

interface Section {
  readonly id: number;
  readonly head: number;
  readonly start: number;
  readonly end: number;
}

function sections(bytes: Uint8Array): Section[] {
  const reader = new Reader(bytes, HEADER_BYTES);
  const found: Section[] = [];
  while (reader.at < bytes.length) {
    const head = reader.at;
    const id = reader.byte();
    const length = reader.number();
    found.push({ id, head, start: reader.at, end: reader.at + length });
    reader.at += length;
  }
  return found;
}

/** The numbers of the globals that can change. A core imports none, so they count from 0. */
function mutableGlobals(bytes: Uint8Array, { start }: Section): number[] {
  const reader = new Reader(bytes, start);
  const count = reader.number();
  const mutable: number[] = [];
  for (let global = 0; global < count; global++) {
    reader.byte();
    if (reader.byte() === 1) mutable.push(global);
    // An initial value: one constant, whose bytes after the opcode may be anything but for END.
    reader.byte();
    reader.number();
    if (reader.byte() !== END) throw new Error("an initial value is more than one constant");
  }
  return mutable;
}

/** Returns the module with its changeable globals exported. */
export function openGlobals(bytes: Uint8Array): WebAssembly.Module {
  const all = sections(bytes);
  const globals = all.find(({ id }) => id === GLOBAL_SECTION);
  const exported = all.find(({ id }) => id === EXPORT_SECTION);
  if (globals === undefined || exported === undefined) throw new Error("no globals, or no exports");
  const reader = new Reader(bytes, exported.start);
  const before = reader.number();
  const mutable = mutableGlobals(bytes, globals);
  const added = mutable.flatMap((global) => {
    const name = new TextEncoder().encode(`${GLOBAL_NAME}${global}`);
    return [...leb(name.length), ...name, KIND_GLOBAL, ...leb(global)];
  });
  const content = [
    ...leb(before + mutable.length),
    ...bytes.subarray(reader.at, exported.end),
    ...added,
  ];
  const section = [EXPORT_SECTION, ...leb(content.length), ...content];
  const whole = [...bytes.subarray(0, exported.head), ...section, ...bytes.subarray(exported.end)];
  return new WebAssembly.Module(new Uint8Array(whole));
}
