/**
 * A machine as a stream, and back: what a host sends when its guest is migrated, and the checks of
 * the host that takes the guest.
 *
 *   0   8 bytes   "ballonet"
 *   8   u32       version of the stream
 *   12  u32       length of the text
 *   16            text: JSON of the header and of the parts
 *       then, for each page that is not all zeros: u32 page number, 4096 bytes
 *
 * Saving changes nothing, because a source whose guest was refused goes on. All checks come before
 * the first change, so a machine that refuses a stream has taken nothing of it.
 */

import type { BalloonDevice } from "./balloon/balloon-device.ts";
import { IncomingStreamError } from "./errors.ts";
import type { Context } from "./judge/context.ts";
import type { GuestMemory } from "./memory/guest-memory.ts";
import { loadParts, type Parts, type States, saveParts } from "./snapshot/part.ts";
import { hasBit } from "./spec/bits.ts";
import { FEATURE, PAGE_BYTES } from "./spec/numbers.ts";
import type { QueueRole } from "./spec/roles.ts";

const MAGIC = "ballonet";
const VERSION = 2;
const FIXED_BYTES = 16;

/** What is compared before anything changes. Features are hexadecimal numbers. */
interface Header {
  readonly transport: string;
  readonly deviceId: number;
  readonly frames: number;
  readonly memoryBytes: number;
  /** Whether the memory is in the stream; else it is where the guest left it. */
  readonly hasMemory: boolean;
  readonly offered: string;
  readonly accepted: string;
  /** Whether the accepted features are settled. */
  readonly settled: boolean;
  readonly legacy: boolean;
  readonly queues: readonly { readonly role: QueueRole | undefined; readonly inUse: boolean }[];
  readonly ms: number;
  readonly turn: number;
}

export interface Incoming {
  readonly header: Header;
  readonly parts: States;
  /** Pages one after the other, each behind its number. */
  readonly pages: DataView;
}

/** The parts of a machine that a stream is made of. */
export interface Movable {
  readonly context: Context;
  readonly device: BalloonDevice;
  readonly parts: Parts;
  readonly transport: string;
  readonly deviceId: number;
}

/** Returns the machine as a stream; `memory` says whether the guest's memory is in it. */
export function saveStream(from: Movable, { memory }: { readonly memory: boolean }): Uint8Array {
  const { context, device, transport, deviceId } = from;
  const { virtio } = device;
  const { clock } = context;
  const header: Header = {
    transport,
    deviceId,
    frames: device.memory.frames,
    memoryBytes: context.memory.bytes,
    hasMemory: memory,
    offered: virtio.options.offered.toString(16),
    accepted: virtio.driverFeatures.toString(16),
    settled: virtio.settled,
    legacy: virtio.legacy,
    queues: virtio.queues.map(({ options, enabled }) => ({ role: options.role, inUse: enabled })),
    ms: clock.nowMs,
    turn: clock.turn,
  };
  const text = new TextEncoder().encode(JSON.stringify({ header, parts: saveParts(from.parts) }));
  const pages = memory ? context.memory.pagesWithContent() : [];
  const start = FIXED_BYTES + text.length;
  const bytes = new Uint8Array(start + pages.length * (4 + PAGE_BYTES));
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, text.length, true);
  bytes.set(text, FIXED_BYTES);
  pages.forEach((pfn, n) => {
    const at = start + n * (4 + PAGE_BYTES);
    view.setUint32(at, pfn, true);
    bytes.set(context.memory.page(pfn), at + 4);
  });
  return bytes;
}

/** @throws IncomingStreamError when this is no stream of a machine. */
export function readStream(bytes: Uint8Array): Incoming {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = new TextDecoder().decode(bytes.subarray(0, MAGIC.length));
  if (bytes.length < FIXED_BYTES || magic !== MAGIC) {
    throw unreadable("other first bytes than those of a machine's stream");
  }
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw unreadable(`version ${version}, where this machine reads version ${VERSION}`);
  }
  const start = FIXED_BYTES + view.getUint32(12, true);
  if (start > bytes.length || (bytes.length - start) % (4 + PAGE_BYTES) !== 0) {
    throw unreadable(`an end after ${bytes.length} bytes, in the middle of a page or of the text`);
  }
  const text = new TextDecoder().decode(bytes.subarray(FIXED_BYTES, start));
  const { header, parts } = parsed(text);
  if (!isRecord(parts) || !isHeader(header)) {
    throw unreadable("a header or parts that no machine writes");
  }
  const pages = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start);
  return { header, parts: parts as States, pages };
}

function parsed(text: string): { readonly header?: unknown; readonly parts?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    throw unreadable("a text that is no JSON");
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isNumber = (value: unknown) => typeof value === "number" && value >= 0;
const isText = (value: unknown) => typeof value === "string";
const isTruth = (value: unknown) => typeof value === "boolean";
const isFeatures = (value: unknown) => isText(value) && /^[0-9a-f]{1,16}$/.test(value as string);

/** What each field of a header may be. */
const HEADER_FIELDS: Readonly<Record<keyof Header, (value: unknown) => boolean>> = {
  transport: isText,
  deviceId: isNumber,
  frames: isNumber,
  memoryBytes: isNumber,
  hasMemory: isTruth,
  offered: isFeatures,
  accepted: isFeatures,
  settled: isTruth,
  legacy: isTruth,
  queues: (value) => Array.isArray(value) && value.every((it) => isRecord(it) && isTruth(it.inUse)),
  ms: isNumber,
  turn: isNumber,
};

function isHeader(value: unknown): value is Header {
  if (!isRecord(value)) return false;
  return Object.entries(HEADER_FIELDS).every(([name, isGood]) => isGood(value[name]));
}

function unreadable(seen: string): IncomingStreamError {
  const todo = "give what `save` of a machine of this version returned";
  return new IncomingStreamError({ what: "incoming", seen, todo });
}

function refused(seen: string, todo: string, missing: readonly string[] = []): IncomingStreamError {
  return new IncomingStreamError({ what: "incoming guest", seen, todo }, missing);
}

/** Returns the features that the first host offered. */
export function offeredIn({ header }: Incoming): bigint {
  return BigInt(`0x${header.offered}`);
}

/**
 * Takes a guest.
 *
 * @throws IncomingStreamError when the guest would see another device here.
 */
export function loadStream(to: Movable, incoming: Incoming): void {
  const { context, device } = to;
  const { header, parts, pages } = incoming;
  const accepted = check(to, header);
  const before = context.memory.copy();
  try {
    context.clock.moveTo(header.ms, header.turn);
    device.virtio.useInterface(header.legacy ? "legacy" : "modern");
    // The accepted features decide the queues' roles, so they come before the queues.
    if (header.settled || header.legacy) device.negotiated(accepted);
    loadParts(to.parts, parts);
    // To enable a queue writes to its rings, so the memory comes last.
    if (header.hasMemory) takePages(context.memory, pages);
    else context.memory.restore(before);
  } catch (error) {
    context.memory.restore(before);
    if (error instanceof IncomingStreamError) throw error;
    throw unreadable(`a state that no machine saves: ${String(error).split("\n")[0]}`);
  }
  context.trace.add("host", "takes a guest", { offered: header.offered, ms: header.ms });
}

function takePages(memory: GuestMemory, pages: DataView): void {
  memory.clear();
  for (let at = 0; at < pages.byteLength; at += 4 + PAGE_BYTES) {
    const page = new Uint8Array(pages.buffer, pages.byteOffset + at + 4, PAGE_BYTES);
    memory.setPage(pages.getUint32(at, true), page);
  }
}

/** Judges the header. Returns the features that the driver has accepted. */
function check({ device, transport, deviceId, context }: Movable, header: Header): bigint {
  const { virtio, memory } = device;
  if (header.transport !== transport || header.deviceId !== deviceId) {
    const was = `${header.transport}, device id 0x${header.deviceId.toString(16)}`;
    const is = `${transport}, 0x${deviceId.toString(16)}`;
    throw refused(`the balloon by ${was}, and here by ${is}`, "choose the other's way to it");
  }
  if (header.frames !== memory.frames || header.memoryBytes !== context.memory.bytes) {
    const seen = `${header.frames} frames, and here ${memory.frames}`;
    throw refused(seen, "give this machine as much memory as the other had");
  }
  const accepted = BigInt(`0x${header.accepted}`);
  const allowed = virtio.offeredOver(header.legacy ? "legacy" : "modern");
  const missing = accepted & ~allowed;
  if (missing !== 0n) {
    const bits = namesOf(missing);
    const sets = [accepted, allowed].map((set) => `0x${set.toString(16)}`);
    const seen = `Features ${sets[0]} unsupported. Allowed features: ${sets[1]}`;
    const todo = "offer what is missing, or set adoptOffer";
    throw refused(`${seen}; missing: ${bits.join(" ")}`, todo, bits);
  }
  for (const [index, { role, inUse }] of header.queues.entries()) {
    if (!inUse || virtio.queues[index]?.options.role === role) continue;
    const seen = `queue ${index} as its ${role}, which it is not here`;
    throw refused(seen, "number the queues of this machine as the other did");
  }
  return accepted;
}

/** Returns the names of features as the specification writes them. */
function namesOf(features: bigint): string[] {
  const names: string[] = [];
  for (let bit = 0; features >> BigInt(bit) !== 0n; bit += 1) {
    if (!hasBit(features, bit)) continue;
    const known = Object.entries(FEATURE).find(([, number]) => number === bit)?.[0];
    names.push(known?.replace(/[A-Z0-9]+/g, (part) => `_${part}`).toUpperCase() ?? `bit ${bit}`);
  }
  return names;
}
