/**
 * Resource templates: what a device's `_CRS` says of its memory, ports, buses and interrupts (ACPI
 * 6.4, 6.4).
 *
 *   small item  0kkkknnn · n bytes         large item  1kkkkkkk · length (u16) · bytes
 */

/** Addresses, ports or bus numbers from `start` to `end`, without `end` itself. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/** An input of the interrupt controllers, and how its device raises it. */
export interface InterruptInput {
  /** ACPI's global system interrupt. */
  readonly number: number;
  readonly isLevel: boolean;
  readonly isActiveLow: boolean;
}

/** What a device has. */
export interface Resources {
  readonly memory: readonly AddressRange[];
  readonly io: readonly AddressRange[];
  readonly buses: readonly AddressRange[];
  readonly interrupts: readonly InterruptInput[];
}

const LARGE = 0x80;
const END_TAG = 0x0f;
const ITEM = {
  irq: 0x04,
  io: 0x08,
  memory32: 0x85,
  fixedMemory32: 0x86,
  dwordSpace: 0x87,
  wordSpace: 0x88,
  interrupts: 0x89,
  qwordSpace: 0x8a,
} as const;

/** Returns all that is understood; other items and ranges beyond exact numbers are left out. */
export function readResources(template: Uint8Array): Resources {
  const memory: AddressRange[] = [];
  const io: AddressRange[] = [];
  const buses: AddressRange[] = [];
  const interrupts: InterruptInput[] = [];
  const add = (to: AddressRange[], start: number, length: number) => {
    const end = start + length;
    if (length > 0 && end <= Number.MAX_SAFE_INTEGER) to.push({ start, end });
  };
  for (const { kind, at, length } of items(template)) {
    const le = (offset: number, width: number) =>
      offset + width <= length ? number(template, at + offset, width) : 0;
    /** Of `width` bytes each: granularity, first, last, translation, length. */
    const space = (width: number) => {
      const to = [memory, io, buses][le(0, 1)];
      if (to !== undefined) add(to, le(3 + width, width), le(3 + 4 * width, width));
    };
    if (kind === ITEM.fixedMemory32) add(memory, le(1, 4), le(5, 4));
    if (kind === ITEM.memory32) add(memory, le(1, 4), le(13, 4));
    if (kind === ITEM.io) add(io, le(1, 2), le(6, 1));
    if (kind === ITEM.wordSpace) space(2);
    if (kind === ITEM.dwordSpace) space(4);
    if (kind === ITEM.qwordSpace) space(8);
    if (kind === ITEM.irq) interrupts.push(...irqs(le(0, 2), length > 2 ? le(2, 1) : 1));
    if (kind === ITEM.interrupts) {
      const flags = le(0, 1);
      const how = { isLevel: (flags & 2) === 0, isActiveLow: (flags & 4) !== 0 };
      for (let index = 0; index < le(1, 1) && 2 + 4 * index + 4 <= length; index++) {
        interrupts.push({ number: le(2 + 4 * index, 4), ...how });
      }
    }
  }
  return { memory, io, buses, interrupts };
}

/** Lines 0 to 15, a bit each. Without flags they are edge-triggered, as on ISA. */
function irqs(mask: number, flags: number): InterruptInput[] {
  const how = { isLevel: (flags & 1) === 0, isActiveLow: (flags & 8) !== 0 };
  return Array.from({ length: 16 }, (_, line) => line)
    .filter((line) => (mask & (1 << line)) !== 0)
    .map((line) => ({ number: line, ...how }));
}

/** The items before the end tag: where the bytes of each start, and how many there are. */
function* items(bytes: Uint8Array): Generator<{ kind: number; at: number; length: number }> {
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    const isLarge = (lead & LARGE) !== 0;
    const kind = isLarge ? lead : (lead >>> 3) & 0x0f;
    const length = isLarge ? number(bytes, at + 1, 2) : lead & 7;
    at += isLarge ? 3 : 1;
    if ((!isLarge && kind === END_TAG) || at + length > bytes.length) return;
    yield { kind, at, length };
    at += length;
  }
}

function number(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let index = 0; index < width; index++) value += (bytes[at + index] ?? 0) * 256 ** index;
  return value;
}
