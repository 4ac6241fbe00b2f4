/**
 * What the page takes from the rest of the package. In an installed one it is not a part of the
 * page's own script: the server serves it out of lib/, where it is already.
 */
export {
  DEFLATE_MODES,
  FRAME_STATES,
  type FrameState,
  PERSONA_NAMES,
  type PersonaName,
  POLICY_NAMES,
} from "../../../../runtime/abi.ts";
export {
  type Device,
  type FaultName,
  type FoldedVerdict,
  faults,
  type HostDesignName,
  hostDesigns,
  type ProfileName,
  profiles,
} from "../../../device/index.ts";
export { V86Guest } from "../../../judge/v86/guest.ts";
export { pluggedDevice, plugIn } from "../../../judge/v86/plugged.ts";
export type { JsonObject, JsonValue } from "../../../vmm/json.ts";
export type { Board } from "../../../vmm/v86/board.ts";
export { launchV86, type V86Vmm } from "../../../vmm/v86/v86.ts";
export type { StatisticName } from "../../../vmm/vmm.ts";
