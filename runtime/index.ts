/** The guest's side: public names only. */
export { BALLOON_FEATURE, BALLOON_PCI_IDS } from "./balloon/constants.ts";
export {
  DEFLATE_MODES,
  type DeflateMode,
  DIALECTS,
  type Dialect,
} from "./balloon/deflate-order.ts";
export {
  type DiscoveredBalloon,
  type DiscoverOptions,
  discoverBalloon,
} from "./balloon/discover.ts";
export { BalloonDriver, type DriverOptions } from "./balloon/driver.ts";
export type { MemoryGiver } from "./balloon/driver-parts.ts";
export type { DriverStateName } from "./balloon/lifecycle.ts";
export { type FeatureChoice, makeSettings, type SettingsInput } from "./balloon/make-settings.ts";
export { PERSONA_NAMES, type PersonaName } from "./balloon/personas.ts";
export type { DriverSettings, FirstStatistics, StatisticsDetail } from "./balloon/settings.ts";
export { ledgerStatistics, type Statistics } from "./balloon/statistics.ts";
export type { DriverStatus, QueueStatus, Totals } from "./balloon/status.ts";
export {
  type ArenaShape,
  arenaBytes,
  type MemoryOptions,
  type MemoryRange,
  openMemory,
} from "./core/arena.ts";
export {
  CORE_ABI_VERSION,
  type CoreExports,
  type CoreImports,
  checkCore,
  FRAME_STATES,
  type FrameCounts,
  type FrameState,
  frameCounts,
} from "./core/exports.ts";
export { FRAME_BYTES, type FrameRun, Frames } from "./core/frames.ts";
export { ActionError, BallonetError, type ErrorCode, type ErrorParts } from "./errors.ts";
export type { Hal, InterruptAllocator, InterruptMessage, LogLevel, Width } from "./hal.ts";
export { type PciAddress, type PciConfigAccess, portConfigAccess } from "./pci/config.ts";
export {
  type EnumerateOptions,
  enumeratePci,
  matchPci,
  type PciFunction,
} from "./pci/enumerate.ts";
export { type CooperativeOptions, cooperative } from "./policy/cooperative.ts";
export { type FollowOptions, follow } from "./policy/follow.ts";
export { type GentleOptions, gentle } from "./policy/gentle.ts";
export { namedPolicy, POLICY_NAMES, type PolicyName } from "./policy/named.ts";
export {
  GIVERS,
  type Giver,
  heldOffUntil,
  type Policy,
  type PolicyDecision,
  type PolicyView,
  pagesBound,
  spendablePages,
  stay,
} from "./policy/policy.ts";
export { reportOnly } from "./policy/report-only.ts";
export {
  BringUp,
  type BringUpOptions,
  type BringUpStep,
  type Negotiation,
} from "./virtio/bring-up.ts";
export { FEATURE, type Field, VIRTIO_PCI_VENDOR } from "./virtio/constants.ts";
export type { InterruptMode } from "./virtio/interrupts.ts";
export type { WiredMmioSlot } from "./virtio/mmio/find.ts";
export { openModernPci } from "./virtio/pci/modern.ts";
export type { PciTransportOptions } from "./virtio/pci/transport.ts";
export type { InterruptCause, QueueSetup, RingLayout, Transport } from "./virtio/transport.ts";
