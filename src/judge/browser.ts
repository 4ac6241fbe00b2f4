/**
 * ballonet/judge as bundlers for pages take it: without what starts programs, reads files or needs
 * a thread of Node. Public names only.
 */

export type { KernelModule } from "./agent/initramfs.ts";
export type { DeviceChoice } from "./device-options.ts";
export type { Driver, DriverSite, StartDriver } from "./in-process/driver.ts";
export { DriverJudged, type JudgeDriverOptions, judgeDriver } from "./in-process/judge-driver.ts";
export { type FreshDriver, inProcess } from "./in-process/platform.ts";
export { wasmDriver } from "./in-process/wasm-driver.ts";
export { type JudgeOptions, judge, runScenario } from "./judge.ts";
export type { JudgeReport, ScenarioResult } from "./judge-report.ts";
export { GuestLost, type Platform } from "./platform.ts";
export { scenarios } from "./scenarios.ts";
export { type LinuxInV86Options, type LinuxPlatform, linuxInV86 } from "./v86/linux.ts";
export { type LinuxImageOptions, linuxImage } from "./v86/linux-image.ts";
export { type InV86Options, inV86 } from "./v86/platform.ts";
