/**
 * ballonet/judge: leads anybody's driver through scenarios on the reference device. Public names
 * only.
 */

export type { KernelModule } from "./agent/initramfs.ts";
export { linuxAgent } from "./agent/program.ts";
export type { DeviceChoice } from "./device-options.ts";
export type { Driver, DriverSite, StartDriver } from "./in-process/driver.ts";
export { DriverJudged, type JudgeDriverOptions, judgeDriver } from "./in-process/judge-driver.ts";
export { type JudgeModuleOptions, judgeModule } from "./in-process/judge-module.ts";
export { type FreshDriver, inProcess } from "./in-process/platform.ts";
export { wasmDriver } from "./in-process/wasm-driver.ts";
export { type JudgeOptions, judge, runScenario } from "./judge.ts";
export { type JudgeKernelOptions, judgeKernel } from "./judge-kernel.ts";
export type { Baseline, Difference, JudgeReport, ScenarioResult } from "./judge-report.ts";
export {
  GuestEnded,
  GuestLost,
  type JudgedDevice,
  type JudgedGuest,
  type Outcome,
  type PageUse,
  type Platform,
  type ScenarioDevice,
  type SystemActions,
} from "./platform.ts";
export { type InQemuOptions, inQemu } from "./qemu/platform.ts";
export { reportPasses, withBaseline } from "./report/baseline.ts";
export { REPORTS, type ReportFormat, reportLines } from "./report/formats.ts";
export { mergeReports, type NamedReport } from "./report/merge.ts";
export { readReport } from "./report/read-report.ts";
export type { Scenario } from "./scenario.ts";
export { scenarios } from "./scenarios.ts";
export { type ServeDeviceOptions, serveDevice } from "./serve/serve.ts";
export { parseShard, type Shard } from "./shard.ts";
export { type LinuxInV86Options, type LinuxPlatform, linuxInV86 } from "./v86/linux.ts";
export { type LinuxImageOptions, linuxImage } from "./v86/linux-image.ts";
export { type InV86Options, inV86 } from "./v86/platform.ts";
