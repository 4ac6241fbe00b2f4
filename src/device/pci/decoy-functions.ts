/**
 * The other functions on the bus: the host bridge, a PCI-PCI bridge when the balloon is behind one,
 * and decoys.
 *
 * The bridge forwards configuration accesses. Its address windows are not modelled: everything
 * behind it is decoded as if they were open.
 */

import type { PciLayout } from "../host/profile.ts";
import { ID, PCI } from "../spec/numbers.ts";
import { type FunctionIdentity, PciFunction } from "./pci-function.ts";

const HOST_BRIDGE: FunctionIdentity = {
  vendorId: 0x8086,
  deviceId: 0x1237,
  revision: 2,
  classCode: 0x060000,
  headerType: 0,
  subsystemVendor: ID.vendor,
  subsystemId: 0x1100,
  interruptPin: 0,
};

const PCI_BRIDGE: FunctionIdentity = {
  vendorId: 0x1b36,
  deviceId: 0x0001,
  revision: 0,
  classCode: 0x060400,
  headerType: 1,
  subsystemVendor: 0,
  subsystemId: 0,
  interruptPin: 0,
};

/** The bridge's device number, which no balloon on bus 0 may have. */
const BRIDGE_DEVICE = 0x1c;

/** All functions that are not the balloon. */
export function decoyFunctions(layout: PciLayout): PciFunction[] {
  const found = [new PciFunction({ bus: 0, device: 0, function: 0 }, HOST_BRIDGE, [], false)];
  if (layout.bus === 1) found.push(bridge());
  if (layout.decoys || layout.function > 0) found.push(...decoys(layout));
  return found;
}

function bridge(): PciFunction {
  const place = { bus: 0, device: BRIDGE_DEVICE, function: 0 };
  const made = new PciFunction(place, PCI_BRIDGE, [], false);
  // Primary, secondary and subordinate bus, as the firmware set them.
  made.put(PCI.primaryBus, 1, 0);
  made.put(PCI.primaryBus + 1, 1, 1);
  made.put(PCI.primaryBus + 2, 1, 1);
  return made;
}

/**
 * A modern entropy device with the balloon's class, and a transitional one: a driver that matches
 * by class, by vendor alone or by the wrong transitional id takes one of them.
 */
function decoys(layout: PciLayout): PciFunction[] {
  const entropy = {
    vendorId: ID.vendor,
    deviceId: ID.entropyModern,
    revision: 1,
    classCode: layout.classCode,
    headerType: 0x80,
    subsystemVendor: ID.vendor,
    subsystemId: 0x1100,
    interruptPin: 1,
  };
  const before = { bus: layout.bus, device: layout.device, function: layout.function > 0 ? 0 : 7 };
  const oldEntropy = { ...entropy, deviceId: ID.entropyTransitional, headerType: 0, revision: 0 };
  const other = { bus: 0, device: 2, function: 0 };
  const bars = [{ index: 0, kind: "io", bytes: 0x20, base: 0xb000 }] as const;
  return [
    new PciFunction(before, entropy, [], true),
    new PciFunction(other, oldEntropy, bars, true),
  ];
}
