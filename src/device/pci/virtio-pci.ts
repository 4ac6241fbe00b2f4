/** Puts the device's PCI function together: the interfaces and the MSI-X that its layout has. */

import type { MsixSpec, PciLayout } from "../host/profile.ts";
import type { Parts } from "../snapshot/part.ts";
import { CAP, COMMON, ID, LEGACY, MSIX, PCI } from "../spec/numbers.ts";
import type { BusParts } from "../virtio/bus.ts";
import { InterfaceLock } from "../virtio/interface-lock.ts";
import type { TransportHooks } from "../virtio/transport-hooks.ts";
import { CapabilityList } from "./capability-list.ts";
import { LegacyHeader } from "./legacy-header.ts";
import { ModernInterface } from "./modern-interface.ts";
import { MsixTable } from "./msix-table.ts";
import { MsixVectors } from "./msix-vectors.ts";
import { PciFunction, type Region } from "./pci-function.ts";
import { structuresIn } from "./pci-layout.ts";

/** Makes the function and connects the device to it. Returns it with its parts that have state. */
export function makeFunction(parts: BusParts): {
  readonly made: PciFunction;
  readonly parts: Parts;
} {
  const { context, profile, virtio } = parts;
  const { pci } = profile;
  const made = new PciFunction(pci, identityOf(pci), pci.bars, false);
  made.put(PCI.command, 2, pci.command);
  const table =
    pci.msix &&
    new MsixTable(context, pci.msix.vectors, {
      send: (one) => send(parts, made, () => parts.messages.deliver(one)),
      vector: parts.messages.vector && ((vector) => sendVector(parts, made, vector)),
    });
  const vectors = new MsixVectors(context, virtio, table);
  const modern = new ModernInterface(context, profile, virtio, vectors);
  const legacy = new LegacyHeader(context, virtio, vectors, profile.access);
  const { common } = modern;
  const { queues } = legacy;
  const lock = new InterfaceLock(context, virtio);
  if (pci.legacy) made.regions.push(headerRegion(pci, lock, legacy));
  for (const spec of pci.caps) {
    const region = modern.region(spec);
    const status = spec.type === CAP.commonCfg ? COMMON.deviceStatus : undefined;
    if (region) made.regions.push({ ...region, ...lock.guard("modern", region, status) });
  }
  if (pci.msix && table) made.regions.push(...msixRegions(pci.msix, table));
  const lineIsUp = () => virtio.interruptPending && !profile.lapses.hidesInterrupt;
  made.watchWith(new CapabilityList(context, made, pci, { table, lineIsUp }));
  const hooks: TransportHooks = {
    reachesMemory: () => made.masters,
    raisesLine: () => made.raisesIntx && !vectors.enabled,
    unusable: 0n,
    lineRule: "Q-ISR-UNREAD",
    interrupt: ({ queue }) => (vectors.signal(queue) ? "message" : "line"),
    reset: () => {
      common.reset();
      queues.reset();
      vectors.reset();
    },
    started: () => vectors.judgeStart(),
    check: () => vectors.judgeRest(),
  };
  virtio.connect(hooks, pci.legacy && pci.caps.length === 0 ? "legacy" : "modern");
  return { made, parts: { lock, common, queues, vectors, ...(table && { table }) } };
}

function identityOf(pci: PciLayout) {
  return {
    vendorId: ID.vendor,
    deviceId: pci.deviceId,
    revision: pci.revision,
    classCode: pci.classCode,
    headerType: pci.function > 0 || pci.decoys ? 0x80 : 0,
    subsystemVendor: ID.vendor,
    subsystemId: pci.subsystemId,
    interruptPin: 1,
  };
}

/** The header takes its BAR up to the first structure of the modern interface. */
function headerRegion(
  { bars, caps }: PciLayout,
  lock: InterfaceLock,
  header: LegacyHeader,
): Region {
  const whole = bars.find(({ index }) => index === 0)?.bytes ?? 0;
  const others = structuresIn(caps, 0).map(({ offset }) => offset);
  const bytes = Math.min(whole, ...others);
  return { bar: 0, offset: 0, bytes, ...lock.guard("legacy", header, LEGACY.deviceStatus) };
}

function msixRegions({ bar, vectors, table, pending }: MsixSpec, msix: MsixTable): Region[] {
  const pendingBytes = Math.ceil(vectors / 64) * 8;
  return [
    { bar, offset: table, bytes: vectors * MSIX.entryBytes, ...msix.table },
    { bar, offset: pending, bytes: pendingBytes, ...msix.pendingBits },
  ];
}

/** A message is a write to memory, so the function has to be a bus master (PCI 3.0, 6.2.2). */
function sendVector(parts: BusParts, from: PciFunction, vector: number): void {
  send(parts, from, () => {
    parts.messages.vector?.(vector);
    return true;
  });
}

/** Lets a message leave, unless it is lost. `deliver` returns whether it is an interrupt. */
function send(
  { context, faults, signal }: BusParts,
  from: PciFunction,
  deliver: () => boolean,
): void {
  if (faults.strikes("message-lost")) {
    context.trace.add("fault", "a message is lost");
    return;
  }
  if (!from.masters) {
    context.trace.add("interrupt", "a message is lost: bus mastering is off");
    return;
  }
  if (deliver()) signal.give();
}
