/** What a user of the package imports: public names only. */
export {
  ActionError,
  BallonetError,
  type CooperativeOptions,
  cooperative,
  type DeflateMode,
  type DriverStatus,
  type ErrorCode,
  type ErrorParts,
  type FrameCounts,
  type FrameRun,
  follow,
  type Giver,
  gentle,
  type Hal,
  heldOffUntil,
  type LogLevel,
  type MemoryRange,
  PERSONA_NAMES,
  type PersonaName,
  type Policy,
  type PolicyDecision,
  type PolicyName,
  type PolicyView,
  pagesBound,
  reportOnly,
  type SettingsInput,
  type Statistics,
  spendablePages,
  stay,
  type Width,
} from "../runtime/index.ts";
export type { Balloon, GuestImports, ResetWait } from "./embed/balloon.ts";
export { balloonArenaBytes, createBalloon, frameBytes } from "./embed/create-balloon.ts";
export { loadCore } from "./embed/load-core.ts";
export type { BalloonOptions, CoreSource } from "./embed/options.ts";
