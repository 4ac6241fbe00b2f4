/**
 * What a guest and the tools outside of it have to agree on: public names only.
 *
 * Names, numbers and types of the control channel's `status`, of the image's command line and of
 * feature bits. Together with index.ts it is the only way into runtime/ from outside.
 */
export { BALLOON_FEATURE } from "./balloon/constants.ts";
export {
  DEFLATE_MODES,
  type DeflateMode,
  DIALECTS,
  type Dialect,
} from "./balloon/deflate-order.ts";
export { formatFeatures } from "./balloon/features.ts";
export type { DriverStateName } from "./balloon/lifecycle.ts";
export { PERSONA_NAMES, type PersonaName } from "./balloon/personas.ts";
export type { DriverStatus, QueueStatus } from "./balloon/status.ts";
export { HOST_TRUSTS, type HostTrust } from "./balloon/untrusted-host.ts";
export type { HostAnswer, HostRequest } from "./check/bench.ts";
export { CONTROL_PORTS, type ControlPort } from "./control-ports.ts";
export { FRAME_STATES, type FrameCounts, type FrameState } from "./core/exports.ts";
export { BallonetError, type ErrorCode, hex } from "./errors.ts";
export { EXIT, STOP } from "./kernel/exit-codes.ts";
export { nearestName } from "./nearest-name.ts";
export { POLICY_NAMES, type PolicyName } from "./policy/named.ts";
export { ownPolicy, type PolicyEngine } from "./policy/own-policy.ts";
export type { Policy } from "./policy/policy.ts";
export { FEATURE } from "./virtio/constants.ts";
export { type FeatureSet, featureBits, featureSet, hasFeature } from "./virtio/features.ts";
export { INTERRUPT_CHOICES } from "./virtio/interrupts.ts";
export { PCI_INTERFACES } from "./virtio/pci/open.ts";
