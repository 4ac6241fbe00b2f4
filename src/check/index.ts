/** ballonet/check: checks anybody's balloon device from within a guest. Public names only. */
export type { HostAnswer, HostRequest } from "../../runtime/abi.ts";
export { behaviours } from "./behaviours/all.ts";
export type { Behaviour } from "./behaviours/behaviour.ts";
export { type CheckBehavioursOptions, checkBehaviours } from "./behaviours/check-behaviours.ts";
export { type CheckDeviceOptions, checkDevice } from "./check-device.ts";
export { HOST_TEMPLATE } from "./host-template.ts";
export { type HostileOptions, hostileGuest } from "./hostile.ts";
export { cloudHypervisorHost } from "./hosts/cloud-hypervisor.ts";
export { crosvmHost } from "./hosts/crosvm.ts";
export { firecrackerHost } from "./hosts/firecracker.ts";
export {
  type CheckedMachine,
  type CheckHostSystem,
  type DeviceWishes,
  HOST_ABILITIES,
  type HostAbility,
  type HostHand,
  type HostLaunch,
} from "./hosts/host.ts";
export type { ProgramHostOptions } from "./hosts/program.ts";
export { type QemuHostOptions, qemuHost } from "./hosts/qemu.ts";
export { SerialConsole } from "./hosts/serial-console.ts";
export { HOST_TRANSPORTS, type HostTransport } from "./hosts/transport.ts";
export { v86Host } from "./hosts/v86.ts";
