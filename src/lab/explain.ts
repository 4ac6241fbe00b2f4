/**
 * Explains a persona, a host, a dialect, a migration path, a cell, or the question itself. It runs
 * the cells that the explanation is about.
 */
import { DIALECTS, nearestName, PERSONA_NAMES } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";
import { explainCell } from "./cell-explanations.ts";
import { cellName, cellNamed, HOST_NAMES, isOneOf, PATH_NAMES, SITUATIONS } from "./cell-names.ts";
import { type CompareOptions, type Comparison, compareCells, compareDeflate } from "./compare.ts";
import {
  describeDialect,
  describeHost,
  describePath,
  describePersona,
  HISTORY,
} from "./subject-descriptions.ts";

/** What a name stands for. */
export type SubjectKind = "question" | "persona" | "host" | "dialect" | "path" | "cell";

/** A subject in words: plain values, and what `ballonet explain --json` prints. */
export interface Explanation {
  readonly type: "explanation";
  readonly name: string;
  /** More than one where a host and a dialect have the same name. */
  readonly kinds: readonly SubjectKind[];
  readonly paragraphs: readonly string[];
  /** The cells that were run for it; none for the question. */
  readonly cells: Comparison["cells"];
  readonly findings: Comparison["findings"];
}

/** All names but those of cells, by kind. */
export const SUBJECTS: readonly (readonly [SubjectKind, readonly string[]])[] = [
  ["persona", PERSONA_NAMES],
  ["host", HOST_NAMES],
  ["dialect", DIALECTS],
  ["path", PATH_NAMES],
];

const SINGLE_NAMES = SUBJECTS.flatMap(([, names]) => names);

/** What to explain, and how to run the cells for it. */
export interface ExplainOptions extends Pick<CompareOptions, "core" | "signal" | "onCell"> {
  /** A name of SUBJECTS, or of a cell, such as `windows/locked`. Default: the question itself. */
  readonly name?: string | undefined;
}

/**
 * Explains a subject, and runs the cells that it is about.
 * @throws FailureError `usage` for an unknown name, with the nearest one; otherwise as
 * compareDeflate does.
 */
export async function explainDeflate(options: ExplainOptions = {}): Promise<Explanation> {
  const { name, ...how } = options;
  if (name === undefined) {
    const empty = { cells: [], findings: [] };
    return explanation("deflate", ["question"], HISTORY, empty);
  }
  const cell = cellNamed(name);
  if (cell !== undefined) {
    const compared = await compareCells([cell], how);
    return explanation(name, ["cell"], compared.cells.flatMap(explainCell), compared);
  }
  const kinds = SUBJECTS.filter(([, names]) => names.includes(name)).map(([kind]) => kind);
  if (kinds.length === 0) throw unknown(name);
  return explanation(
    name,
    kinds,
    description(name),
    await compareDeflate({ ...how, ...about(name) }),
  );
}

function explanation(
  name: string,
  kinds: readonly SubjectKind[],
  paragraphs: readonly string[],
  { cells, findings }: Pick<Comparison, "cells" | "findings">,
): Explanation {
  return { type: "explanation", name, kinds, paragraphs, cells, findings };
}

function description(name: string): readonly string[] {
  return [
    ...(isOneOf(PERSONA_NAMES, name) ? describePersona(name) : []),
    ...(isOneOf(HOST_NAMES, name) ? describeHost(name) : []),
    ...(isOneOf(DIALECTS, name) ? describeDialect(name) : []),
    ...(isOneOf(PATH_NAMES, name) ? describePath(name) : []),
  ];
}

/** Which cells a subject is about. */
function about(name: string): CompareOptions {
  const paths = ["none"] as const;
  if (isOneOf(PERSONA_NAMES, name)) return { personas: [name], paths };
  if (isOneOf(HOST_NAMES, name)) return { hosts: [name], paths };
  if (isOneOf(DIALECTS, name)) return { dialects: [name], paths };
  return isOneOf(PATH_NAMES, name) ? { paths: [name], hosts: ["locked"] } : {};
}

function unknown(name: string): FailureError {
  const cells = PERSONA_NAMES.flatMap((persona) =>
    SITUATIONS.map((situation) => cellName({ persona, ...situation })),
  );
  const nearest = nearestName(name, name.includes("/") ? cells : SINGLE_NAMES);
  return new FailureError({
    kind: "usage",
    what: "nothing to explain by this name",
    seen: `"${name}"`,
    todo: `${nearest ? `did you mean ${nearest}? ` : ""}\`ballonet explain\` lists what there is`,
  });
}
