/** Bytes of AML as hosts write them, and a machine with tables that have them. */
import type { Hal } from "../../runtime/hal.ts";

export type Bytes = readonly number[];

export const ascii = (text: string): Bytes => [...text].map((letter) => letter.charCodeAt(0));
export const le = (value: number, width: number): Bytes =>
  Array.from({ length: width }, (_, index) => Math.floor(value / 256 ** index) % 256);
/** A length with two bytes, which counts itself. */
export const sized = (body: Bytes): Bytes => {
  const length = body.length + 2;
  return [0x40 | (length & 15), length >>> 4, ...body];
};
export const name = (id: string, ...value: number[]): Bytes => [0x08, ...ascii(id), ...value];
export const dword = (value: number): Bytes => [0x0c, ...le(value, 4)];
export const text = (value: string): Bytes => [0x0d, ...ascii(value), 0];
export const buffer = (bytes: Bytes): Bytes => [
  0x11,
  ...sized([0x0b, ...le(bytes.length, 2), ...bytes]),
];
export const list = (...items: Bytes[]): Bytes => [0x12, ...sized([items.length, ...items.flat()])];
export const device = (id: string, ...body: Bytes[]): Bytes => [
  ...[0x5b, 0x82],
  ...sized([...ascii(id), ...body.flat()]),
];
export const scope = (...body: Bytes[]): Bytes => [
  0x10,
  ...sized([...ascii("\\_SB_"), ...body.flat()]),
];
export const method = (id: string, ...body: number[]): Bytes => [
  0x14,
  ...sized([...ascii(id), 0, ...body]),
];

export const END = [0x79, 0];
export const fixedMemory = (base: number, bytes: number): Bytes => [
  ...[0x86, 9, 0, 1],
  ...le(base, 4),
  ...le(bytes, 4),
];
export const interrupt = (flags: number, input: number): Bytes => [
  0x89,
  6,
  0,
  flags,
  1,
  ...le(input, 4),
];

export const RSDP = 0xf_0000;
export const RSDT = 0x10_0000;
export const FADT = 0x10_1000;
export const DSDT = 0x10_2000;

/** Memory with these bytes of AML in its DSDT. `fadt` is the body of the FADT, which names it. */
export function machine(body: Bytes, fadt: Bytes = new Array<number>(80).fill(0)): Hal {
  const memory = new Map<number, number>();
  const put = (at: number, bytes: Bytes, checksum?: number) => {
    const sum = bytes.reduce((total, byte) => total + byte, 0);
    bytes.forEach((byte, index) => {
      memory.set(at + index, index === checksum ? -sum & 0xff : byte);
    });
  };
  const table = (signature: string, content: Bytes): Bytes => {
    const head = [...ascii(signature), ...le(36 + content.length, 4)];
    return [...head, ...new Array<number>(28).fill(0), ...content];
  };
  put(RSDP, [...ascii("RSD PTR "), 0, ...ascii("TESTER"), 0, ...le(RSDT, 4)], 8);
  put(RSDT, table("RSDT", le(FADT, 4)), 9);
  put(FADT, table("FACP", [...le(0, 4), ...le(DSDT, 4), ...fadt.slice(8)]), 9);
  put(DSDT, table("DSDT", body), 9);
  return {
    portRead: (_, width) => 2 ** (8 * width) - 1,
    portWrite: () => {},
    mmioRead: (at) => memory.get(at) ?? 0,
    mmioWrite: () => {},
    now: () => 0,
    log: () => {},
  };
}
