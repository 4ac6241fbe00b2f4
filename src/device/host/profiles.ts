/**
 * The profiles of balloon devices that a driver may meet.
 *
 * `strict` allows what the specification allows and no more, and has every legal oddity that
 * drivers get wrong: I/O and memory BARs, capabilities to ignore, padding. The others do what the
 * balloon devices of their hosts do, and keep the specification except where the original breaks
 * it. Hosts whose balloon is on another bus are shown on PCI: only the balloon's quirks are theirs.
 */

import { NO_LAPSES } from "../spec/lapses.ts";
import { CAP, CAP_BYTES, COMMON_BYTES, FEATURE, ID, PCI_COMMAND } from "../spec/numbers.ts";
import type {
  BalloonQuirks,
  CapSpec,
  HintQuirks,
  MmioLayout,
  PciLayout,
  Profile,
  QueueSpec,
} from "./profile.ts";

const DECODE = PCI_COMMAND.io | PCI_COMMAND.memory;

/** PCI class "unclassified device". */
const CLASS_OTHERS = 0x00ff00;

const HINTS: HintQuirks = {
  firstId: 2,
  sameId: false,
  doneOnStop: false,
  anyId: false,
  hidesId: false,
  fill: "canary",
  served: true,
};

const QUIRKS: BalloonQuirks = {
  configBytes: "offered",
  actualOwner: "driver",
  actualAfterReset: "zero",
  usedLength: "zero",
  oversize: "serve",
  headOnly: false,
  returns: "by schedule",
  statBits: 64,
  statsServed: true,
  hints: HINTS,
  reportUsedLength: "zero",
};

function queueSpecs(sizes: readonly number[]): QueueSpec[] {
  return sizes.map((size, notifyOff) => ({ size, notifyOff }));
}

const WINDOW_CAP: CapSpec = { type: CAP.pciCfg, bar: 0, offset: 0, bytes: 0 };

/** The four structures in one BAR, each in a page of its own. */
function oneBar(bar: number, offsets: readonly [number, number, number, number]): CapSpec[] {
  const [common, isr, device, notify] = offsets;
  return [
    { type: CAP.commonCfg, bar, offset: common, bytes: 0x1000 },
    { type: CAP.isrCfg, bar, offset: isr, bytes: 0x1000 },
    { type: CAP.deviceCfg, bar, offset: device, bytes: 0x1000 },
    { type: CAP.notifyCfg, bar, offset: notify, bytes: 0x1000 },
  ];
}

const PCI_LAYOUT: PciLayout = {
  deviceId: ID.balloonModern,
  revision: 1,
  subsystemId: 0x1100,
  classCode: CLASS_OTHERS,
  bus: 0,
  device: 4,
  function: 0,
  command: DECODE,
  bars: [{ index: 4, kind: "mem64", bytes: 0x4000, base: 0xfe00_0000, prefetchable: true }],
  caps: [...oneBar(4, [0, 0x1000, 0x2000, 0x3000]), WINDOW_CAP],
  notifyMultiplier: 4,
  window: true,
  decoys: false,
};

/** One of the slots of QEMU's microvm. */
const MMIO_LAYOUT: MmioLayout = { base: 0xfeb0_0e00, bytes: 0x200, decoys: true, queueReset: true };

const strict: Profile = {
  name: "strict",
  features: [
    FEATURE.mustTellHost,
    FEATURE.statsVq,
    FEATURE.deflateOnOom,
    FEATURE.ringIndirectDesc,
    FEATURE.ringEventIdx,
    FEATURE.version1,
  ],
  queues: queueSpecs([128, 128, 128, 128, 128]),
  queueNumbering: "fixed",
  queuesShown: "offered",
  generation: "changes",
  driverFeaturesStart: "none",
  access: "native",
  lowAddressesOnly: false,
  lapses: NO_LAPSES,
  completion: { kind: "immediate" },
  pci: {
    ...PCI_LAYOUT,
    command: 0,
    decoys: true,
    bars: [
      { index: 0, kind: "io", bytes: 0x100, base: 0xc000 },
      { index: 1, kind: "mem32", bytes: 0x1000, base: 0xfebd_0000 },
      { index: 4, kind: "mem64", bytes: 0x4000, base: 0xfe00_0000, prefetchable: true },
    ],
    caps: [
      // A driver should use the first of each type that is not reserved.
      { type: CAP.vendorCfg, bar: 1, offset: 0x900, bytes: COMMON_BYTES, reserved: true },
      { type: CAP.commonCfg, bar: 6, offset: 0, bytes: COMMON_BYTES, reserved: true },
      { type: 0x0b, bar: 1, offset: 0x800, bytes: 0x40, reserved: true },
      { type: CAP.commonCfg, bar: 4, offset: 0, bytes: 0x1000, padding: 4 },
      { type: CAP.isrCfg, bar: 0, offset: 0x81, bytes: 1 },
      { type: CAP.deviceCfg, bar: 1, offset: 0x100, bytes: 0x40 },
      { type: CAP.notifyCfg, bar: 4, offset: 0x3000, bytes: 0x1000 },
      { type: CAP.notifyCfg, bar: 1, offset: 0xa00, bytes: 0x100 },
      WINDOW_CAP,
    ],
  },
  mmio: MMIO_LAYOUT,
  balloon: QUIRKS,
};

const qemu: Profile = {
  ...strict,
  name: "qemu",
  features: [
    FEATURE.statsVq,
    FEATURE.pagePoison,
    FEATURE.notifyOnEmpty,
    FEATURE.ringIndirectDesc,
    FEATURE.ringEventIdx,
    FEATURE.version1,
    FEATURE.ringReset,
  ],
  access: "any",
  generation: "when up",
  lapses: {
    ...NO_LAPSES,
    servesEarly: true,
    acceptsAll: true,
    onlyFirstIsTable: true,
    firstUseInterrupts: true,
    servesUnready: true,
  },
  pci: { ...PCI_LAYOUT, caps: [WINDOW_CAP, ...oneBar(4, [0, 0x1000, 0x2000, 0x3000]).reverse()] },
  // QEMU 7.2 offers RING_RESET over MMIO and has no register QueueReset.
  mmio: { ...MMIO_LAYOUT, queueReset: false },
  queues: queueSpecs([128, 128, 128, 1024, 32]),
  queueNumbering: "compact-offered",
  balloon: {
    ...QUIRKS,
    actualAfterReset: "kept",
    hints: { ...HINTS, firstId: 0x8000_0000, hidesId: true },
  },
};

const v86: Profile = {
  ...strict,
  name: "v86",
  features: [FEATURE.statsVq, FEATURE.freePageHint, FEATURE.version1],
  queues: [
    { size: 32, notifyOff: 0 },
    { size: 32, notifyOff: 0 },
    { size: 2, notifyOff: 1 },
    { size: 64, notifyOff: 2 },
  ],
  queuesShown: "all",
  generation: "never",
  driverFeaturesStart: "offered",
  access: "v86",
  lowAddressesOnly: true,
  lapses: { ...NO_LAPSES, servesEarly: true, neverNeedsReset: true, hidesInterrupt: true },
  pci: {
    ...PCI_LAYOUT,
    subsystemId: 5,
    classCode: 0x000200,
    device: 0x0b,
    command: 0x0507,
    bars: [
      { index: 0, kind: "io", bytes: 64, base: 0xd800 },
      { index: 1, kind: "io", bytes: 16, base: 0xd900 },
      { index: 2, kind: "io", bytes: 16, base: 0xd700 },
      { index: 3, kind: "io", bytes: 16, base: 0xd600 },
    ],
    caps: [
      { type: CAP.commonCfg, bar: 0, offset: 0, bytes: 64 },
      { type: CAP.notifyCfg, bar: 1, offset: 0, bytes: 16 },
      { type: CAP.isrCfg, bar: 2, offset: 0, bytes: 16 },
      { type: CAP.deviceCfg, bar: 3, offset: 0, bytes: 16 },
      WINDOW_CAP,
    ],
    notifyMultiplier: 2,
    window: false,
  },
  balloon: {
    ...QUIRKS,
    configBytes: 12,
    actualOwner: "device",
    actualAfterReset: "kept",
    statBits: 32,
    hints: { ...HINTS, sameId: true, doneOnStop: true, anyId: true, fill: "zero" },
  },
};

const firecracker: Profile = {
  ...strict,
  name: "firecracker",
  features: [FEATURE.statsVq, FEATURE.deflateOnOom, FEATURE.version1],
  queues: queueSpecs([256, 256, 256, 256, 256]),
  queueNumbering: "compact-offered",
  access: "any",
  pci: {
    ...PCI_LAYOUT,
    bars: [{ index: 0, kind: "mem64", bytes: 0x8_0000, base: 0x40_0000_0000 }],
    caps: [...oneBar(0, [0, 0x2000, 0x4000, 0x6000]), WINDOW_CAP],
  },
  balloon: {
    ...QUIRKS,
    configBytes: 12,
    oversize: "lose",
    headOnly: true,
    hints: { ...HINTS, doneOnStop: true },
  },
};

const crosvm: Profile = {
  ...strict,
  name: "crosvm",
  queueNumbering: "compact-offered",
  features: [
    FEATURE.mustTellHost,
    FEATURE.statsVq,
    FEATURE.deflateOnOom,
    FEATURE.ringEventIdx,
    FEATURE.version1,
  ],
  access: "any",
  pci: {
    ...PCI_LAYOUT,
    bars: [{ index: 0, kind: "mem64", bytes: 0x8000, base: 0xd000_0000 }],
    caps: [...oneBar(0, [0, 0x1000, 0x2000, 0x3000]), WINDOW_CAP],
  },
  balloon: { ...QUIRKS, configBytes: 20, actualAfterReset: "kept" },
};

const cloudHypervisor: Profile = {
  ...strict,
  name: "cloud-hypervisor",
  features: [FEATURE.deflateOnOom, FEATURE.version1],
  queues: queueSpecs([128, 128, 16, 128, 32]),
  queueNumbering: "compact-offered",
  access: "any",
  pci: {
    ...PCI_LAYOUT,
    bars: [{ index: 0, kind: "mem64", bytes: 0x8_0000, base: 0x80_0000_0000 }],
    caps: [...oneBar(0, [0, 0x2000, 0x4000, 0x6000]), WINDOW_CAP],
  },
  balloon: {
    ...QUIRKS,
    actualAfterReset: "kept",
    oversize: "skip",
    reportUsedLength: "total",
  },
};

const libkrun: Profile = {
  ...strict,
  name: "libkrun",
  features: [FEATURE.statsVq, FEATURE.freePageHint, FEATURE.pageReporting, FEATURE.version1],
  queues: queueSpecs([256, 256, 256, 256, 256]),
  queuesShown: "all",
  access: "any",
  pci: {
    ...PCI_LAYOUT,
    bars: [{ index: 2, kind: "mem32", bytes: 0x4000, base: 0xfebf_0000 }],
    caps: [...oneBar(2, [0, 0x1000, 0x2000, 0x3000]), WINDOW_CAP],
  },
  balloon: {
    ...QUIRKS,
    configBytes: 16,
    actualOwner: "nobody",
    returns: "never",
    statsServed: false,
    hints: { ...HINTS, served: false },
  },
};

/** The profiles by name, for the machine's option `profile`. */
export const profiles = {
  strict,
  qemu,
  v86,
  firecracker,
  crosvm,
  "cloud-hypervisor": cloudHypervisor,
  libkrun,
} as const;

/** The name of a profile in `profiles`. */
export type ProfileName = keyof typeof profiles;

/** Returns the bytes that a capability takes in configuration space. */
export function capLength(cap: CapSpec): number {
  const extra = cap.type === CAP.notifyCfg || cap.type === CAP.pciCfg ? 4 : 0;
  return CAP_BYTES + extra + (cap.padding ?? 0);
}
