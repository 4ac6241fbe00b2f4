/**
 * ballonet/device: the reference machine, for anybody's virtio-balloon driver.
 *
 * Public names only.
 */

export type { Completion } from "./completion.ts";
export { type Fault, type FaultName, type FaultSpec, faults } from "./faults.ts";
export type { GuestMemorySource } from "./guest-memory.ts";
export { type HostDesign, type HostDesignName, hostDesigns } from "./host-design.ts";
export type { MemoryPoint, Touch } from "./host-memory.ts";
export { type HostVersion, hostVersions } from "./host-version.ts";
export { formatVerdict, type Verdict } from "./judge.ts";
export { createMachine, hasFailed, type Machine } from "./machine.ts";
export {
  type AccessWidth,
  type CheckOptions,
  type CompletionOption,
  type MachineHal,
  MachineOptionError,
  type MachineOptions,
} from "./machine-options.ts";
export type { InterruptMessage } from "./messages.ts";
export { MigrationError } from "./migration.ts";
export type { Offer } from "./offer.ts";
export type {
  BalloonHabits,
  BarSpec,
  CapSpec,
  HintHabits,
  MmioLook,
  MsixSpec,
  PciLook,
  Profile,
  QueueSpec,
  UsedLength,
} from "./profile.ts";
export { type ProfileName, profiles } from "./profiles.ts";
export type { QueueNumbering, QueueRole } from "./queue-plan.ts";
export type { Level, Rule } from "./rule.ts";
export { notObservable, type RuleId, rules, type Unobservable } from "./rules.ts";
export { formatEntry, type Trace, type TraceEntry, type TraceKind } from "./trace.ts";
export type { TransportKind } from "./transport.ts";
