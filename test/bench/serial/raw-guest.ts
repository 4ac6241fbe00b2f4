/**
 * A guest of a few instructions, which moves bytes over a serial port as fast as the port lets it: a
 * Multiboot ELF32, assembled here byte by byte.
 *
 * It says `raw` on COM1. Then it waits for single bytes on its port: O -> BYTES bytes out, in bursts of
 * the FIFO's 16; I -> it takes the next BYTES bytes, one look for each, and answers with a line end.
 */

/** What it moves each way. */
export const RAW_BYTES = 1 << 15;

const BASE = 0x10_0000;
const HEADERS = 84;
const CODE_AT = HEADERS + 12;
const MAGIC = 0x1bad_b002;
const COM1 = 0x3f8;
const BURST = 16;

/** Four bytes, the lowest first. */
const word = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** A label's distance from the end of the instruction that names it is one byte. */
type Piece = readonly number[] | { readonly label: string } | { readonly near: string };

function assemble(pieces: readonly Piece[]): number[] {
  const labels = new Map<string, number>();
  let size = 0;
  for (const piece of pieces) {
    if ("label" in piece) labels.set(piece.label, size);
    else size += "near" in piece ? 1 : piece.length;
  }
  const code: number[] = [];
  for (const piece of pieces) {
    if ("near" in piece) code.push(((labels.get(piece.near) ?? 0) - code.length - 1) & 0xff);
    else if (!("label" in piece)) code.push(...piece);
  }
  return code;
}

const label = (name: string): Piece => ({ label: name });
const jump = (opcode: number, name: string): Piece[] => [[opcode], { near: name }];
const jumpIfZero = (name: string) => jump(0x74, name);
const jumpIfNot = (name: string) => jump(0x75, name);

/** Code that uses the port at `base`. */
function program(base: number): number[] {
  const port = (number: number) => [0x66, 0xba, number & 0xff, number >> 8]; // mov dx, number
  const put = (value: number) => [0xb0, value, 0xee]; // mov al, value; out dx, al
  const look = (bit: number) => [0xec, 0xa8, bit]; // in al, dx; test al, bit
  return assemble([
    [...port(base + 2), ...put(0xc7)], // the FIFOs are on, and empty
    [...port(COM1), ...put(0x72), ...put(0x61), ...put(0x77), ...put(0x0a)],
    label("listen"),
    port(base + 5),
    look(1),
    ...jumpIfZero("listen"),
    [...port(base), 0xec, 0x3c, 0x4f], // in al, dx; cmp al, 'O'
    ...jumpIfZero("out"),
    [0x3c, 0x49], // cmp al, 'I'
    ...jumpIfNot("listen"),

    [0xbd, ...word(RAW_BYTES)], // mov ebp, bytes
    label("more"),
    port(base + 5),
    label("empty"),
    look(1),
    ...jumpIfZero("empty"),
    [...port(base), 0xec, 0x4d], // in al, dx; dec ebp
    ...jumpIfNot("more"),
    put(0x0a),
    ...jump(0xeb, "listen"),

    label("out"),
    [0xbd, ...word(RAW_BYTES / BURST)],
    label("burst"),
    port(base + 5),
    label("full"),
    look(0x20),
    ...jumpIfZero("full"),
    [...port(base), 0xbe, ...word(BASE), 0xb9, ...word(BURST), 0xf3, 0x6e], // rep outsb
    [0x4d],
    ...jumpIfNot("burst"),
    ...jump(0xeb, "listen"),
  ]);
}

/** The image for COM1 or COM2. */
export function rawGuest(control: "com1" | "com2"): Uint8Array<ArrayBuffer> {
  const code = program(control === "com1" ? COM1 : 0x2f8);
  const image = new Uint8Array(CODE_AT + code.length);
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  for (const [at, value] of [
    [16, 2], // executable
    [18, 3], // i386
    [40, 52],
    [42, 32],
    [44, 1],
    [46, 40],
  ] as const) {
    view.setUint16(at, value, true);
  }
  const segment = [1, 0, BASE, BASE, image.length, image.length, 7, 0x1000];
  const header = [MAGIC, 0, -MAGIC >>> 0];
  const words = new Map([
    [20, 1],
    [24, BASE + CODE_AT],
    [28, 52],
    ...segment.map((value, index): [number, number] => [52 + 4 * index, value]),
    ...header.map((value, index): [number, number] => [HEADERS + 4 * index, value]),
  ]);
  for (const [at, value] of words) view.setUint32(at, value, true);
  image.set(code, CODE_AT);
  return image;
}
