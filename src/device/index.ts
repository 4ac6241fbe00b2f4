/**
 * ballonet/device: the reference device, alone or in a machine, for anybody's balloon driver.
 *
 * Public names only.
 */

export type { CheckOptions } from "./balloon/balloon-options.ts";

export type { MemoryPoint, MemoryView, Touch } from "./balloon/locked-memory.ts";
export type { BalloonHost, PassOptions } from "./balloon-host.ts";
export { createDevice, type Device } from "./device.ts";
export type { DeviceInterrupts, DeviceOptions } from "./device-options.ts";
export { type ErrorParts, IncomingStreamError, MachineOptionError } from "./errors.ts";
export { type HostDesign, type HostDesignName, hostDesigns } from "./host/host-design.ts";
export { type HostVersion, hostVersions } from "./host/host-version.ts";
export type { Offer } from "./host/offer.ts";
export type {
  AccessQuirk,
  BalloonQuirks,
  BarSpec,
  CapSpec,
  HintQuirks,
  MmioLayout,
  MsixSpec,
  PciLayout,
  Profile,
  QueueSpec,
  UsedLength,
} from "./host/profile.ts";
export { type ProfileName, profiles } from "./host/profiles.ts";
export type { CompletionOption } from "./host/schedule.ts";
export type { HostOptions } from "./host-options.ts";
export type { Outcome } from "./judge/outcome.ts";
export { type FoldedVerdict, formatFolded } from "./judge/tally.ts";
export { formatVerdict, type Verdict } from "./judge/verdict.ts";
export { createMachine, hasFailed, type Machine } from "./machine.ts";
export type {
  AccessWidth,
  MachineHal,
  MachineOptions,
} from "./machine-options.ts";
export type { GuestMemoryRegion, GuestMemorySource } from "./memory/guest-memory.ts";
export type {
  GuestMemoryAccess,
  GuestMemoryBuffer,
  GuestMemoryStretch,
} from "./memory/memory-store.ts";
export type { PageState } from "./memory/page-ownership.ts";
export type { MmioDevice } from "./mmio/mmio-window.ts";
export type { PciBar, PciDevice } from "./pci/pci-window.ts";
export type { Completion } from "./queue/completion.ts";
export { type Fault, type FaultName, type FaultSpec, faults } from "./sim/faults.ts";
export { formatEntry, type Trace, type TraceEntry, type TraceKind } from "./sim/trace.ts";
export { notObservable } from "./spec/not-observable.ts";
export type { QueueNumbering, QueueRole } from "./spec/roles.ts";
export type { Interface, Level, Rule, Unobservable } from "./spec/rule.ts";
export { type RuleId, rules } from "./spec/rules.ts";
export type { AbsentMemory, InterruptMessage, TransportKind } from "./virtio/bus.ts";
