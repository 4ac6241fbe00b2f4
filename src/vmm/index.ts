/** ballonet/vmm: launching guests and controlling them from outside. Public names only. */
export type { ControlPort } from "../../runtime/abi.ts";
export {
  ControlClient,
  type ControlNotification,
  type ControlOptions,
  MAX_REPLY_BYTES,
  MAX_REQUEST_BYTES,
  type UnattributedReply,
} from "./control.ts";
export type { Deadline } from "./deadline.ts";
export {
  ControlReplyError,
  MigrationError,
  QmpCommandError,
  VmmError,
  type VmmErrorCode,
} from "./errors.ts";
export { describeExit } from "./exit.ts";
export type { JsonObject, JsonValue } from "./json.ts";
export { GuestLog, type LogLine } from "./log.ts";
export {
  type QemuArch,
  type QemuBalloonOptions,
  type QemuMachine,
  type QemuMachineOptions,
  qemuArguments,
} from "./qemu/arguments.ts";
export type { QemuBalloon } from "./qemu/balloon.ts";
export { type PlugOptions, plugBalloon, unplugBalloon } from "./qemu/hotplug.ts";
export {
  loadState,
  type MigrateOptions,
  migrate,
  saveState,
  type Tuning,
} from "./qemu/migration.ts";
export type { MigrationProgress } from "./qemu/migration-progress.ts";
export { type LaunchQemuOptions, launchQemu, QemuVmm } from "./qemu/qemu.ts";
export { QmpClient, type QmpEvent, type QmpVersion } from "./qemu/qmp.ts";
export type { V86Balloon } from "./v86/balloon.ts";
export { type Board, type BoardFunction, NO_FUNCTION } from "./v86/board.ts";
export type { V86Counters } from "./v86/counters.ts";
export { type LaunchV86Options, launchV86, V86Vmm } from "./v86/v86.ts";
export {
  type Balloon,
  type BalloonState,
  type BalloonStatistics,
  type BalloonTarget,
  type GuestExit,
  type Negotiated,
  PAGE_BYTES,
  type Snapshots,
  type StatisticName,
  type Vmm,
} from "./vmm.ts";
