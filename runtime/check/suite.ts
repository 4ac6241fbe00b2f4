/** The suite: all checks, and running them one after another. */
import { BallonetError } from "../errors.ts";
import { Bench, type BenchOptions, Broken, LeftOut } from "./bench.ts";
import type { Check } from "./check.ts";
import { balloonChecks } from "./checks/balloon.ts";
import { basicChecks } from "./checks/basic.ts";
import { legacyChecks } from "./checks/legacy.ts";
import { mmioChecks } from "./checks/mmio.ts";
import { pciChecks } from "./checks/pci.ts";
import { queueChecks } from "./checks/queues.ts";
import { findDevice, isLegacy, type OpenOptions, openRegisters } from "./registers.ts";

/** Every check, in the order in which they run. */
export const checks: readonly Check[] = [
  ...basicChecks,
  ...pciChecks,
  ...legacyChecks,
  ...mmioChecks,
  ...queueChecks,
  ...balloonChecks,
];

/** What came of one check. */
export interface CheckResult {
  readonly check: Check;
  /** `broken`: the device breaks the statement. `left out`: it cannot be seen here. */
  readonly outcome: "holds" | "broken" | "left out";
  /** What was seen, or what is missing. Empty when it holds. */
  readonly seen: string;
}

/** What `runSuite` is given. */
export interface SuiteOptions extends BenchOptions, Omit<OpenOptions, "hal"> {
  /** Ids of the checks to run. Default: all. */
  readonly only?: readonly string[];
  /** Called after each check. */
  onResult?(result: CheckResult): void;
}

/**
 * Runs checks on the balloon of this machine, and resets the device at the end. A device that no
 * driver could find or open breaks every check.
 */
export function runSuite(options: SuiteOptions): readonly CheckResult[] {
  const { only, onResult } = options;
  const chosen = only === undefined ? checks : checks.filter(({ id }) => only.includes(id));
  const opened = openBench(options);
  const results = chosen.map((check) => {
    const result = runCheck(check, opened);
    onResult?.(result);
    return result;
  });
  if (opened instanceof Bench) opened.device.write("deviceStatus", 0);
  return results;
}

/** Returns the bench, or why there is none. */
export function openBench(options: SuiteOptions): Bench | BallonetError | LeftOut {
  try {
    const found = findDevice(options);
    if (isLegacy(found)) return new LeftOut("the modern interface");
    return new Bench(options, openRegisters(options.hal, found));
  } catch (error) {
    if (error instanceof BallonetError) return error;
    throw error;
  }
}

function runCheck(check: Check, bench: Bench | BallonetError | LeftOut): CheckResult {
  try {
    if (!(bench instanceof Bench)) throw bench;
    check.run(bench);
    return { check, outcome: "holds", seen: "" };
  } catch (error) {
    if (error instanceof LeftOut) return { check, outcome: "left out", seen: error.message };
    if (!(error instanceof Broken || error instanceof BallonetError)) throw error;
    return { check, outcome: "broken", seen: error.message };
  }
}
