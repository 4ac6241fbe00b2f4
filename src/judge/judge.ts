/** Leads a driver through scenarios, and sums up what the device saw. */

import { nearestName } from "../../runtime/abi.ts";
import type { Device, FoldedVerdict } from "../device/index.ts";
import { FailureError } from "../failure.ts";
import { endsWell, type JudgeReport, type ScenarioResult } from "./judge-report.ts";
import { GuestEnded, GuestLost, type Platform } from "./platform.ts";
import { LeftOut, MemoryChanged, type Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";
import { partOf, type Shard } from "./shard.ts";

/** What `judge` is asked for. */
export interface JudgeOptions {
  readonly driver: string;
  /** Its name in the report. */
  readonly platform: string;
  readonly profile: string;
  readonly transport: string;
  /** What else was chosen, for who compares reports. Default: nothing. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Names of scenarios. Default: those that are `isDefault`. */
  readonly scenarios?: readonly string[] | undefined;
  /** Which part of these to run. Default: all. */
  readonly shard?: Shard | undefined;
  readonly signal?: AbortSignal;
  /** Runs one scenario: by `runScenario`, here or elsewhere. */
  run(scenario: Scenario): Promise<ScenarioResult>;
  onScenario?(name: string, done: number, of: number): void;
}

/**
 * Returns the scenarios of these names, each once, or the default ones.
 * @throws FailureError `usage` for a name that is none.
 */
export function scenariosNamed(names: readonly string[] = []): readonly Scenario[] {
  if (names.length === 0) return scenarios.filter(({ isDefault }) => isDefault);
  const known = scenarios.map(({ name }) => name);
  return [...new Set(names)].map((name) => {
    const found = scenarios.find((scenario) => scenario.name === name);
    if (found !== undefined) return found;
    const nearest = nearestName(name, known);
    throw new FailureError({
      kind: "usage",
      what: "scenario",
      seen: `"${name}"`,
      todo: `${nearest ? `did you mean ${nearest}? ` : ""}choose of ${known.join(", ")}`,
    });
  });
}

/**
 * Judges a driver: runs one scenario after the other. When the driver did not come for the first
 * one, the others are not run.
 *
 * @throws FailureError when the driver cannot be started at all, and the signal's reason.
 */
export async function judge(options: JudgeOptions): Promise<JudgeReport> {
  const { driver, platform, profile, transport, settings = {}, signal } = options;
  const all = scenariosNamed(options.scenarios);
  const { shard } = options;
  const chosen = shard === undefined ? all : partOf(all, shard);
  const results: ScenarioResult[] = [];
  for (const scenario of chosen) {
    options.onScenario?.(scenario.name, results.length, chosen.length);
    signal?.throwIfAborted();
    const result = await options.run(scenario);
    signal?.throwIfAborted();
    results.push(result);
    if (results[0]?.outcome === "never came") break;
  }
  const passed = results.every((result) => result.passed);
  return {
    ...{ type: "judge", driver, platform, profile, transport, settings },
    scenarios: all.map(({ name }) => name),
    shard: shard === undefined ? null : `${shard.number}/${shard.of}`,
    results,
    passed,
  };
}

/**
 * Runs one scenario on a guest of its own.
 *
 * @throws FailureError when the guest cannot be started at all, and the signal's reason.
 */
export async function runScenario(
  platform: Platform,
  scenario: Scenario,
  signal: AbortSignal = new AbortController().signal,
): Promise<ScenarioResult> {
  const startMs = performance.now();
  const { name, text, device = {}, mayEnd = [], waive = [] } = scenario;
  const guest = await platform.start({ device, signal });
  let brokenOff: BrokenOff | undefined;
  try {
    await scenario.run(guest);
  } catch (error) {
    if (!isBrokenOff(error)) throw error;
    brokenOff = error;
  } finally {
    await guest.close();
  }
  const { outcome: ended = guest.device.outcome } = guest;
  const devices = [...guest.left, guest.device];
  const findings = joined(devices.flatMap((device) => device.summary())).filter(
    ({ rule }) => !waive.includes(rule),
  );
  const end = brokenOff instanceof GuestLost ? brokenOff.how : ended.end;
  const outcome = brokenOff instanceof LeftOut && end === "up" ? null : end;
  return {
    scenario: name,
    text,
    outcome,
    note: noteOf(brokenOff, ended),
    lastSteps: end === "up" ? [] : ended.steps,
    findings,
    passed:
      endsWell(outcome, mayEnd) &&
      !(brokenOff instanceof MemoryChanged) &&
      !findings.some(({ level }) => level.startsWith("MUST")),
    tookMs: performance.now() - startMs,
  };
}

type BrokenOff = GuestLost | GuestEnded | LeftOut | MemoryChanged;

function isBrokenOff(error: unknown): error is BrokenOff {
  return [GuestLost, GuestEnded, LeftOut, MemoryChanged].some((kind) => error instanceof kind);
}

/** Why the scenario broke off, and why the driver is not up. */
function noteOf(error: BrokenOff | undefined, { end, why }: Device["outcome"]): string | null {
  if (end === "never came") return [...(error ? [error.message] : []), why].join("; ");
  return error?.message ?? (end === "up" ? null : why);
}

/** Folds the verdicts of several devices: of a rule the first one tells what was seen. */
function joined(all: readonly FoldedVerdict[]): readonly FoldedVerdict[] {
  const found = new Map<string, FoldedVerdict>();
  for (const one of all) {
    const { count = 0, ...first } = found.get(one.rule) ?? {};
    found.set(one.rule, { ...one, ...first, count: count + one.count, lastMs: one.lastMs });
  }
  return [...found.values()];
}
