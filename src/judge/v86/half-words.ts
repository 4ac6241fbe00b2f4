/** Which fields of the function's memory have 16 bits: v86 reads them as two bytes. */
import type { PciDevice } from "../../device/index.ts";

const CAPABILITIES = 0x34;
const VENDOR = 0x09;
/** Of a virtio capability: offsets of its type, its BAR, and the place in it. */
const TYPE = 3;
const BAR = 4;
const PLACE = 8;
const COMMON = 1;
/** Fields of 16 bits in the common configuration (virtio 1.3, 4.1.4.3). */
const HALF_WORDS = [0x10, 0x12, 0x16, 0x18, 0x1a, 0x1c, 0x1e, 0x38, 0x3a];
/** More capabilities than configuration space has room for: a list that is longer is a circle. */
const CAPABILITIES_MAX = 48;

/** Returns a function that says whether there is such a field at a place of a BAR. */
export function halfWords({ config }: PciDevice): (bar: number, offset: number) => boolean {
  const places = new Set<string>();
  let at = config.peek(CAPABILITIES, 1);
  for (let n = 0; at !== 0 && n < CAPABILITIES_MAX; n += 1) {
    if (config.peek(at, 1) === VENDOR && config.peek(at + TYPE, 1) === COMMON) {
      const start = config.peek(at + PLACE, 4);
      for (const field of HALF_WORDS) places.add(`${config.peek(at + BAR, 1)} ${start + field}`);
    }
    at = config.peek(at + 1, 1);
  }
  return (bar, offset) => places.has(`${bar} ${offset}`);
}
