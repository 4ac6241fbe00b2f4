/** A profile's PCI layout with other interfaces than the modern one, or with MSI-X. */

import type { BarSpec, CapSpec, MsixSpec, PciLayout } from "../host/profile.ts";
import { ID } from "../spec/numbers.ts";
import type { PciInterfaces } from "../virtio/bus.ts";

/** BAR 0 of the legacy interface: header and device configuration, with room to spare. */
const HEADER_BAR: BarSpec = { index: 0, kind: "io", bytes: 0x40, base: 0xc000 };

/** The MSI-X table lies in a memory BAR of its own, the pending bits in its upper half. */
const MSIX_BAR = { kind: "mem32", bytes: 0x1000, base: 0xfea0_0000 } as const;
const PENDING_OFFSET = 0x800;
const ENTRY_BYTES = 16;
/** As many as fit below the pending bits. */
export const VECTORS_MAX = PENDING_OFFSET / ENTRY_BYTES;

const BARS = 6;

/**
 * Returns the layout with these interfaces and this number of MSI-X vectors; `undefined` when the
 * BARs leave no room for them.
 */
export function layoutWith(
  layout: PciLayout,
  interfaces: PciInterfaces,
  vectors: number,
): PciLayout | undefined {
  const based = interfaces === "modern" ? layout : legacyLayout(layout, interfaces);
  if (based === undefined || vectors === 0) return based;
  const index = freeBar(based.bars);
  if (index === undefined) return undefined;
  const msix: MsixSpec = { bar: index, vectors, table: 0, pending: PENDING_OFFSET };
  return { ...based, bars: [...based.bars, { ...MSIX_BAR, index }], msix };
}

/** See virtio 1.3, 4.1.2.3: transitional ids, revision 0, the device type as subsystem. */
function legacyLayout(
  layout: PciLayout,
  interfaces: "legacy" | "transitional",
): PciLayout | undefined {
  const ids = { deviceId: ID.balloonTransitional, revision: 0, subsystemId: ID.balloon };
  const old = { ...layout, ...ids, legacy: true };
  if (interfaces === "legacy") return { ...old, bars: [HEADER_BAR], caps: [], window: false };
  const first = layout.bars.find(({ index }) => index === 0);
  if (first === undefined) return { ...old, bars: [HEADER_BAR, ...layout.bars] };
  const isFree = structuresIn(layout.caps, 0).every(({ offset }) => offset >= HEADER_BAR.bytes);
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
