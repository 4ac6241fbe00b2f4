/** Where a queue's three areas lie, and what is judged about them when the queue is enabled. */

import type { Context } from "../judge/context.ts";
import { PACKED } from "../spec/numbers.ts";
import { partsOf } from "./ring.ts";
import type { Virtqueue } from "./virtqueue.ts";

/** The three areas, in the order of `partsOf`. */
export const QUEUE_AREAS = [
  { key: "descAddress", name: "queue_desc" },
  { key: "driverAddress", name: "queue_driver" },
  { key: "deviceAddress", name: "queue_device" },
] as const;

export type AreaKey = (typeof QUEUE_AREAS)[number]["key"];

/**
 * Places a split queue in one piece from `address` on, as legacy interfaces do: the driver area
 * right after the descriptors, the device area at the next multiple of `align` (virtio 1.3, 2.7.2).
 */
export function placeInOnePiece(queue: Virtqueue, address: number, align: number): void {
  const [table, driver] = partsOf(false, queue.size).map(({ bytes }) => bytes);
  queue.descAddress = address;
  queue.driverAddress = address + (table ?? 0);
  queue.deviceAddress = Math.ceil((queue.driverAddress + (driver ?? 0)) / align) * align;
}

/** Judges the areas of a queue that is to be enabled. Returns whether the device can use them. */
export function judgeAreas(context: Context, queue: Virtqueue): boolean {
  const { judge, memory } = context;
  const { name } = queue.options;
  let sound = true;
  const sizes = partsOf(queue.packed, queue.size);
  for (const [part, { key, name: what }] of QUEUE_AREAS.entries()) {
    const address = queue[key];
    const { align, bytes } = sizes[part] as (typeof sizes)[number];
    if (address % align !== 0) {
      judge.breach("R-ALIGN", `${name}: ${what} 0x${address.toString(16)}`);
      sound = false;
    } else if (!memory.contains(address, bytes)) {
      judge.breach("R-MEMORY", `${name}: ${what} 0x${address.toString(16)} is beyond memory`);
      sound = false;
    }
  }
  if (sound) judgeZero(context, queue);
  return sound;
}

/** Judges that an enabled queue has no memory in common with another one. */
export function judgeApart({ judge }: Context, queue: Virtqueue, all: readonly Virtqueue[]) {
  const others = all.filter((other) => other !== queue);
  for (const { address, bytes } of queue.ring?.areas() ?? []) {
    const other = others.find(({ ring }) =>
      ring?.areas().some((area) => {
        return address < area.address + area.bytes && area.address < address + bytes;
      }),
    );
    if (other === undefined) continue;
    const seen = `${queue.options.name} at 0x${address.toString(16)} lies on ${other.options.name}`;
    judge.breach("R-APART", seen);
    return;
  }
}

/** Judges what the driver has to clear first: the used ring's head, or packed descriptors. */
function judgeZero({ judge, memory, postedWrites }: Context, queue: Virtqueue): void {
  const { name } = queue.options;
  if (!queue.packed) {
    const used = memory.read32(queue.deviceAddress);
    if (used === 0) return;
    judge.breach("R-USED-ZERO", `${name}: flags and idx are 0x${used.toString(16)}`);
    return;
  }
  // By the time that a posted write arrives, the driver may have filled the ring.
  if (postedWrites) return;
  for (let slot = 0; slot < queue.size; slot += 1) {
    const flags = memory.read16(queue.descAddress + slot * PACKED.descBytes + 14);
    if ((flags & (PACKED.avail | PACKED.used)) === 0) continue;
    judge.breach("R-PACKED-ZERO", `${name}: slot ${slot} has flags 0x${flags.toString(16)}`);
    return;
  }
}
