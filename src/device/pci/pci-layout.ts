/**
 * How a profile's device looks on PCI with another interface than the modern one, or with MSI-X.
 *
 * It must not know what the registers do. Invariant: BARs that are added overlap nothing, and a
 * function of the old interface has the ids and the revision that the specification gives it.
 */

import type { BarSpec, CapSpec, MsixSpec, PciLayout } from "../host/profile.ts";
import { ID } from "../spec/numbers.ts";
import type { PciInterfaces } from "../virtio/bus.ts";

/** BAR 0 of the old interface: header and device configuration, with room to spare. */
const HEADER_BAR: BarSpec = { index: 0, kind: "io", bytes: 0x40, base: 0xc000 };

/** The MSI-X table lies in a memory BAR of its own, the pending bits in its upper half. */
const MSIX_BAR = { kind: "mem32", bytes: 0x1000, base: 0xfea0_0000 } as const;
const PENDING_OFFSET = 0x800;
const ENTRY_BYTES = 16;
/** As many as fit below the pending bits. */
export const VECTORS_MAX = PENDING_OFFSET / ENTRY_BYTES;

const BARS = 6;

/**
 * The look with these interfaces and so many MSI-X vectors; `undefined` when the device's BARs
 * leave no room for them.
 */
export function layoutWith(
  look: PciLayout,
  interfaces: PciInterfaces,
  vectors: number,
): PciLayout | undefined {
  const based = interfaces === "modern" ? look : olderLook(look, interfaces);
  if (based === undefined || vectors === 0) return based;
  const index = freeBar(based.bars);
  if (index === undefined) return undefined;
  const msix: MsixSpec = { bar: index, vectors, table: 0, pending: PENDING_OFFSET };
  return { ...based, bars: [...based.bars, { ...MSIX_BAR, index }], msix };
}

/** See virtio 1.3, 4.1.2.3: transitional ids, revision 0, the device type as subsystem. */
function olderLook(look: PciLayout, interfaces: "legacy" | "transitional"): PciLayout | undefined {
  const ids = { deviceId: ID.balloonTransitional, revision: 0, subsystemId: ID.balloon };
  const old = { ...look, ...ids, legacy: true };
  if (interfaces === "legacy") return { ...old, bars: [HEADER_BAR], caps: [], window: false };
  const first = look.bars.find(({ index }) => index === 0);
  if (first === undefined) return { ...old, bars: [HEADER_BAR, ...look.bars] };
  const isFree = structuresIn(look.caps, 0).every(({ offset }) => offset >= HEADER_BAR.bytes);
  return first.kind === "io" && isFree ? old : undefined;
}

/** The capabilities that describe something in this BAR; the access window describes nothing. */
export function structuresIn(caps: readonly CapSpec[], index: number): readonly CapSpec[] {
  return caps.filter(({ bar, bytes }) => bar === index && bytes > 0);
}

function freeBar(bars: readonly BarSpec[]): number | undefined {
  const taken = new Set(
    bars.flatMap(({ index, kind }) => [index, index + (kind === "mem64" ? 1 : 0)]),
  );
  return Array.from({ length: BARS }, (_, index) => index).find(
    (index) => index > 0 && !taken.has(index),
  );
}
