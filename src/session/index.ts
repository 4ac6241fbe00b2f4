/**
 * ballonet/session: what `ballonet boot` and `ballonet doctor` do, as functions. Public names only.
 */
export { type Failure, FailureError, type FailureKind } from "../failure.ts";
export type { Target } from "../text/units.ts";
export {
  type Check,
  type CheckState,
  type DiagnoseOptions,
  type Diagnosis,
  diagnose,
} from "./doctor.ts";
export type {
  Allocated,
  Booting,
  Building,
  Failed,
  Freed,
  FreshStatistics,
  Log,
  Progress,
  Reached,
  Ready,
  Reported,
  SessionEvent,
  SessionStep,
  Summary,
  TargetSet,
  Verified,
} from "./events.ts";
export { failureOf } from "./failure-of.ts";
export type { GuestStatus } from "./guest-status.ts";
export { planSession, type SessionOptions, type SessionPlan } from "./plan.ts";
export { type QemuCommandOptions, qemuCommand, shellLine } from "./qemu-command.ts";
export { RECIPE_NAMES, type RecipeName, type RecipeOptions, recipe } from "./recipes.ts";
export { type ProgramLine, type RunProgramOptions, runProgram } from "./run-program.ts";
export { runSession } from "./session.ts";
