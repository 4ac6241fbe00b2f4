/** What a judge reports: plain values, as JSON has them. */
import type { FoldedVerdict } from "../device/index.ts";
import type { Outcome } from "./platform.ts";

/** What came of one scenario. */
export interface ScenarioResult {
  readonly scenario: string;
  readonly text: string;
  /** Null when it was left out. */
  readonly outcome: Outcome | null;
  /**
   * What is missing, when it was left out; why, when the driver is not up; or that the system's own
   * memory was changed under it.
   */
  readonly note: string | null;
  /** The last lines of the trace, when the driver is not up. */
  readonly lastSteps: readonly string[];
  /** The rules that were broken, each once, in the order in which they broke first. */
  readonly findings: readonly FoldedVerdict[];
  /**
   * Whether no MUST or MUST NOT was broken, the driver ended as the scenario allows, and the
   * system's memory is whole.
   */
  readonly passed: boolean;
  /** Milliseconds that it took. */
  readonly tookMs: number;
}

/** What came of all scenarios. */
export interface JudgeReport {
  readonly type: "judge";
  /** What was judged: a file's name, or the caller's word for it. */
  readonly driver: string;
  readonly platform: string;
  readonly profile: string;
  readonly transport: string;
  /** What else was chosen, by name: `features`, `vectors`, `waive`, `memory` and the like. */
  readonly settings: Readonly<Record<string, string>>;
  /** The names of all scenarios of the run, whether or not they are in `results`. */
  readonly scenarios: readonly string[];
  /** Which part of these was to run: `2/3`; null for all. */
  readonly shard: string | null;
  readonly results: readonly ScenarioResult[];
  /** Whether all of them passed. */
  readonly passed: boolean;
  /** What differs from an earlier report; absent where there is none. */
  readonly baseline?: Baseline;
}

/** A broken rule or a bad outcome that one of two reports has, and the other has not. */
export interface Difference {
  readonly scenario: string;
  /** The rule that is broken; null when it is the outcome that differs. */
  readonly rule: string | null;
  /** The level of the rule; null when it is the outcome that differs. */
  readonly level: FoldedVerdict["level"] | null;
  /** What the driver did, or the outcome, of the report that has it. */
  readonly seen: string;
}

/** What `withBaseline` found. */
export interface Baseline {
  /** The earlier report's file, or another name for it. */
  readonly file: string;
  /** What was judged then. */
  readonly driver: string;
  /** What keeps both from being compared in full, in words: other settings, other scenarios. */
  readonly unequal: readonly string[];
  readonly appeared: readonly Difference[];
  readonly gone: readonly Difference[];
  /** Whether nothing appeared but broken rules that are no MUST and no MUST NOT. */
  readonly passed: boolean;
}

/** Whether a good driver may end so; `mayEnd` are outcomes beside `up` that a scenario allows. */
export function endsWell(outcome: Outcome | null, mayEnd: readonly Outcome[] = []): boolean {
  return outcome === null || outcome === "up" || mayEnd.includes(outcome);
}
