/**
 * The scenario of memory barriers: the core alone, and a device that looks and acts at its barriers
 * and at no other time, as one on another processor might.
 *
 * What stands in memory at a barrier is all that the device has seen until the next one.
 */
import { type CoreExports, INFLATEQ, RING_FEATURE } from "../../../runtime/core/exports.ts";
import type { Testbed } from "../testbed.ts";

const ARENA_PTR = 0x2000;
const FRAMES = 64;
const QUEUE_SIZE = 8;
const BUFFERS = 4;
const PFNS = 16;
const PACKED_AVAILABLE = 1 << 7;
const EVENTS_ON = 0;
const EVENTS_OFF = 1;
/** An avail_event that no index here comes near. */
const FAR_AWAY = 0x8000;

/** What the device does with one kind of ring; the buffer that matters is the first of a burst. */
interface DeviceSide {
  /** Wants no notification. */
  hush(): void;
  /** Wants one for what was just made available. */
  listen(): void;
  /** Whether the first buffer's descriptor is written. */
  isWritten(): boolean;
  /** Whether it is available. */
  isShown(): boolean;
}

function splitSide(view: DataView, core: CoreExports): DeviceSide {
  const descriptor = core.queue_descriptor_area(INFLATEQ);
  const driver = core.queue_driver_area(INFLATEQ);
  const availEvent = core.queue_device_area(INFLATEQ) + 4 + 8 * QUEUE_SIZE;
  return {
    hush: () => view.setUint16(availEvent, FAR_AWAY, true),
    listen: () => view.setUint16(availEvent, 0, true),
    isWritten: () => view.getUint32(descriptor + 8, true) === 4 * PFNS,
    isShown: () => view.getUint16(driver + 2, true) > 0,
  };
}

function packedSide(view: DataView, core: CoreExports): DeviceSide {
  const descriptor = core.queue_descriptor_area(INFLATEQ);
  const flags = core.queue_device_area(INFLATEQ) + 2;
  return {
    hush: () => view.setUint16(flags, EVENTS_OFF, true),
    listen: () => view.setUint16(flags, EVENTS_ON, true),
    isWritten: () => view.getUint32(descriptor + 8, true) === 4 * PFNS,
    isShown: () => (view.getUint16(descriptor + 14, true) & PACKED_AVAILABLE) !== 0,
  };
}

/** Two buffers are published; the device wants to be told as soon as it can see them. */
export async function barriers(testbed: Testbed, packed: boolean): Promise<void> {
  const memory = new WebAssembly.Memory({ initial: 4 });
  let atBarrier = () => {};
  const imports = { env: { memory }, hal: { fence: () => atBarrier(), fill: () => {} } };
  const instance = new WebAssembly.Instance(testbed.build.core, imports);
  const core = instance.exports as unknown as CoreExports;
  core.arena_open(ARENA_PTR, FRAMES, QUEUE_SIZE, BUFFERS, PFNS);
  core.ledger_add(0, FRAMES);
  const kind = packed ? RING_FEATURE.packed : 0;
  core.queue_open(INFLATEQ, QUEUE_SIZE, RING_FEATURE.eventIndex | kind, 4);
  const side = (packed ? packedSide : splitSide)(new DataView(memory.buffer), core);
  side.hush();
  core.balloon_inflate(2 * PFNS);
  let wasHidden = false;
  let wasShown = false;
  atBarrier = () => {
    if (!side.isWritten()) return;
    if (!side.isShown()) wasHidden = true;
    else if (!wasShown) {
      wasShown = true;
      side.listen();
    }
  };
  const isTold = core.queue_publish(INFLATEQ) !== 0;
  testbed.check(
    "B-BARRIER",
    wasHidden,
    "buffers are shown and no barrier came since they were written",
  );
  testbed.check("B-BARRIER", wasShown, "no barrier came after buffers were shown");
  testbed.check("B-BARRIER", isTold, "the device's wish was looked at before that barrier");
}
