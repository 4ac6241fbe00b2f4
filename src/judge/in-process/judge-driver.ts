/** Judges a driver that is JavaScript, for test runners. */

import { type DeviceChoice, settingsOf } from "../device-options.ts";
import { judge, runScenario } from "../judge.ts";
import type { JudgeReport } from "../judge-report.ts";
import { reportText } from "../report/text.ts";
import type { StartDriver } from "./driver.ts";
import { inProcess } from "./platform.ts";

/** What `judgeDriver` is asked for. The device's options are those of `createMachine`. */
export interface JudgeDriverOptions extends DeviceChoice {
  /** Its name in the report. Default `driver`. */
  readonly name?: string;
  readonly start: StartDriver;
  /** The guest's memory in bytes. Default 64 MiB. */
  readonly memoryBytes?: number;
  /** Scenarios to run. Default: all that need no fault. */
  readonly scenarios?: readonly string[];
  readonly signal?: AbortSignal;
}

const WASM_PAGE = 65536;
const DEFAULT_BYTES = 64 << 20;

/** A driver broke a MUST, or did not stay up. The message is the report as text. */
export class DriverJudged extends Error {
  readonly report: JudgeReport;

  constructor(report: JudgeReport) {
    super(reportText(report).join("\n"));
    this.name = "DriverJudged";
    this.report = report;
  }
}

/**
 * Leads a driver through the scenarios on the reference device, in this process.
 *
 * @throws DriverJudged when a MUST or MUST NOT is broken, or the driver gives up, hangs or crashes.
 * @throws FailureError for a scenario that does not exist, MachineOptionError for a wrong option.
 */
export async function judgeDriver(options: JudgeDriverOptions): Promise<JudgeReport> {
  const {
    name = "driver",
    start,
    memoryBytes = DEFAULT_BYTES,
    scenarios,
    signal,
    ...device
  } = options;
  const initial = Math.ceil(memoryBytes / WASM_PAGE);
  const fresh = () => ({ memory: new WebAssembly.Memory({ initial }), start });
  const platform = inProcess(fresh, device);
  const report = await judge({
    driver: name,
    platform: platform.name,
    run: (scenario) => runScenario(platform, scenario, signal),
    profile:
      typeof device.profile === "object" ? device.profile.name : (device.profile ?? "strict"),
    transport: device.transport ?? "modern",
    settings: settingsOf(device),
    scenarios,
    ...(signal && { signal }),
  });
  if (!report.passed) throw new DriverJudged(report);
  return report;
}
