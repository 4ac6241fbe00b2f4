/** Several reports of one run to one report. */
import { FailureError } from "../../failure.ts";
import type { JudgeReport } from "../judge-report.ts";
import { scenarios } from "../scenarios.ts";
import { parseShard } from "../shard.ts";
import { settingsIn } from "./settings.ts";

/** A report, and the name of its file in messages. */
export interface NamedReport {
  readonly file: string;
  readonly report: JudgeReport;
}

/**
 * Returns one report of all shards of a run, or of runs with other scenarios under the same
 * settings. A baseline of one of them is left behind: what is new is known of all together.
 *
 * @throws FailureError `usage` for no report, for other drivers or settings, for a scenario that
 *   two of them have, and for a shard that is missing.
 */
export function mergeReports(parts: readonly NamedReport[]): JudgeReport {
  const [first, ...others] = parts;
  if (first === undefined) throw refused("no report", "give the files of at least one");
  for (const other of others) expectSame(first, other);
  expectNothingTwice(parts);
  const isSharded = first.report.shard !== null;
  if (isSharded) expectAllShards(parts);
  const names = isSharded ? first.report.scenarios : inOrder(parts);
  const found = parts.flatMap(({ report }) => report.results);
  const place = ({ scenario }: (typeof found)[0]) => names.indexOf(scenario);
  const { driver, platform, profile, transport, settings } = first.report;
  return {
    ...{ type: "judge", driver, platform, profile, transport, settings },
    ...{ scenarios: names, shard: null },
    results: found.sort((a, b) => place(a) - place(b)),
    passed: parts.every(({ report }) => report.passed),
  };
}

function refused(seen: string, todo: string): FailureError {
  return new FailureError({ kind: "usage", what: "reports to merge", seen, todo });
}

/** @throws FailureError unless both are about the same driver, under the same settings. */
function expectSame(first: NamedReport, other: NamedReport): void {
  const [one, two] = [first, other].map(({ report }) => {
    const { driver, shard, scenarios: names } = report;
    const sharded = shard === null ? [] : [["scenarios", names.join(", ")] as const];
    const of = shard === null ? "none" : `${parseShard(shard, "its shard").of}`;
    return new Map([["driver", driver], ...settingsIn(report), ["shards", of], ...sharded]);
  }) as [Map<string, string>, Map<string, string>];
  const name = [...one.keys(), ...two.keys()].find((key) => one.get(key) !== two.get(key));
  if (name === undefined) return;
  const [here, there] = [one, two].map((settings) => settings.get(name) ?? "none");
  throw refused(
    `${name} ${here} in ${first.file}, ${there} in ${other.file}`,
    "merge reports of one driver under the same settings; others stay reports of their own",
  );
}

/** @throws FailureError when two reports have the same scenario, or one has it twice. */
function expectNothingTwice(parts: readonly NamedReport[]): void {
  const fileOf = new Map<string, string>();
  for (const { file, report } of parts) {
    for (const { scenario } of report.results) {
      const before = fileOf.get(scenario);
      if (before !== undefined) {
        const seen = `scenario ${scenario} in ${before}, and again in ${file}`;
        throw refused(seen, "give each report once");
      }
      fileOf.set(scenario, file);
    }
  }
}

/** @throws FailureError when a shard is there twice, or not at all. */
function expectAllShards(parts: readonly NamedReport[]): void {
  const fileOf = new Map<number, string>();
  const shards = parts.map(({ report }) => parseShard(report.shard ?? "", "its shard"));
  for (const [index, { number, of }] of shards.entries()) {
    const { file } = parts[index] as NamedReport;
    const before = fileOf.get(number);
    if (before !== undefined) {
      throw refused(`shard ${number}/${of} in ${before}, and again in ${file}`, "give it once");
    }
    fileOf.set(number, file);
  }
  const { of = 0 } = shards[0] ?? {};
  const missing = Array.from({ length: of }, (_, index) => index + 1).filter(
    (number) => !fileOf.has(number),
  );
  if (missing.length === 0) return;
  const names = missing.map((number) => `${number}/${of}`).join(", ");
  throw refused(
    `no shard ${names}`,
    "give the reports of all shards: one that failed has one, too",
  );
}

/** The scenarios of all, in the order of the table; names that it has not stand last. */
function inOrder(parts: readonly NamedReport[]): readonly string[] {
  const names = [...new Set(parts.flatMap(({ report }) => report.scenarios))];
  const known = scenarios.map(({ name }) => name).filter((name) => names.includes(name));
  return [...known, ...names.filter((name) => !known.includes(name))];
}
