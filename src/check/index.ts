/** ballonet/check: checks anybody's balloon device from within a guest. Public names only. */
export type { HostAnswer, HostRequest } from "../../runtime/abi.ts";
export { type CheckDeviceOptions, checkDevice } from "./check-device.ts";
export { type HostileOptions, hostileGuest } from "./hostile.ts";
export type { CheckedMachine, CheckHostSystem, HostLaunch } from "./hosts/host.ts";
export { type QemuHostOptions, qemuHost, v86Host } from "./hosts/vmm.ts";
