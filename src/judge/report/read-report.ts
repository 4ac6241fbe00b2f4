/** Reads a report from the JSON that `--report json` writes. The file may be anybody's. */
import { FailureError } from "../../failure.ts";
import type { JudgeReport } from "../judge-report.ts";

type Test = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Test>>;

const text: Test = (value) => typeof value === "string";
const flag: Test = (value) => typeof value === "boolean";
const number: Test = (value) => typeof value === "number";
const textOrNull: Test = (value) => value === null || text(value);
const absentOr =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
const oneOf =
  (...names: readonly (string | null)[]): Test =>
  (value) =>
    names.some((name) => name === value);
const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);
const record =
  (fields: Fields): Test =>
  (value) =>
    wrongField(value, fields) === undefined;

const level = oneOf("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "FIELD");
const outcome = oneOf(...["up", "gave up", "never came", "lost", "hung", "left", "crashed"], null);

const FINDING: Fields = {
  ...{ rule: text, level, section: text, title: text, count: number, seen: text },
  ...{ firstMs: number, lastMs: number, lines: listOf(text), cause: absentOr(text) },
  pages: absentOr(record({ count: number, ranges: text })),
};

const RESULT: Fields = {
  ...{ scenario: text, text, outcome, note: textOrNull, lastSteps: listOf(text), passed: flag },
  ...{ findings: listOf(record(FINDING)), tookMs: number },
};

const DIFFERENCES = listOf(
  record({ scenario: text, rule: textOrNull, level: (it) => it === null || level(it), seen: text }),
);

const BASELINE: Fields = {
  ...{ file: text, driver: text, unequal: listOf(text), passed: flag },
  ...{ appeared: DIFFERENCES, gone: DIFFERENCES },
};

const REPORT: Fields = {
  ...{ driver: text, platform: text, profile: text, transport: text, passed: flag },
  ...{ scenarios: listOf(text), shard: textOrNull, results: listOf(record(RESULT)) },
  settings: (value) => isObject(value) && Object.values(value).every(text),
  baseline: absentOr(record(BASELINE)),
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the name of the first field that is missing or wrong; "" for what is no object. */
function wrongField(value: unknown, fields: Fields): string | undefined {
  if (!isObject(value)) return "";
  return Object.keys(fields).find((name) => !fields[name]?.(value[name]));
}

/**
 * Returns the report that a file holds; `file` is its name in messages.
 * @throws FailureError `usage` for a text that is no report of a judge.
 */
export function readReport(json: string, file: string): JudgeReport {
  const refuse = (seen: string) =>
    new FailureError({
      kind: "usage",
      what: `the report ${file}`,
      seen,
      todo: "give a file that `ballonet judge --report json=FILE` has written",
    });
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw refuse(json === "" ? "an empty file" : `no JSON: ${firstLine(error)}`);
  }
  if (!isObject(value)) throw refuse("no object");
  if (value.type !== "judge") {
    throw refuse(text(value.type) ? `an object of type "${value.type}"` : "an object of no type");
  }
  const wrong = wrongField(value, REPORT);
  if (wrong !== undefined) throw refuse(`its field "${wrong}" is missing or wrong`);
  return value as unknown as JudgeReport;
}

/** What a parser says of a text may quote lines of it. */
function firstLine(error: unknown): string {
  return String((error as Error).message).split("\n", 1)[0] ?? "";
}
