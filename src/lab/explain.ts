/**
 * Why: a persona, a host, a dialect, a way to migrate, a cell, or the question itself.
 *
 * It must not print. Invariant: what is said of how things come out was run for it.
 */

import { FailureError } from "../failure.ts";
import { nearestName } from "../text/did-you-mean.ts";
import { reasonsOf } from "./cell-explanations.ts";
import {
  cellName,
  cellNamed,
  DIALECTS,
  HOST_NAMES,
  isOneOf,
  PATH_NAMES,
  PERSONA_NAMES,
  SITUATIONS,
} from "./cell-names.ts";
import { type CompareOptions, type Comparison, compareCells, compareDeflate } from "./compare.ts";
import {
  dialectPortrait,
  HISTORY,
  hostPortrait,
  pathPortrait,
  personaPortrait,
} from "./subject-descriptions.ts";

export type SubjectKind = "question" | "persona" | "host" | "dialect" | "path" | "cell";

/** A subject in words; plain values, and what `ballonet explain --json` prints. */
export interface Explanation {
  readonly type: "explanation";
  readonly name: string;
  /** More than one where a host and a dialect have the same name. */
  readonly kinds: readonly SubjectKind[];
  readonly paragraphs: readonly string[];
  /** What was run for it; empty for the question. */
  readonly cells: Comparison["cells"];
  readonly findings: Comparison["findings"];
}

/** What can be explained, by kind. */
export const SUBJECTS: readonly (readonly [SubjectKind, readonly string[]])[] = [
  ["persona", PERSONA_NAMES],
  ["host", HOST_NAMES],
  ["dialect", DIALECTS],
  ["path", PATH_NAMES],
];

/** All names but those of cells. */
const SINGLE_NAMES = SUBJECTS.flatMap(([, names]) => names);

export interface ExplainOptions extends Pick<CompareOptions, "core" | "signal" | "onCell"> {
  /** Of SUBJECTS, or a cell's, such as `windows/locked`. Default: the question itself. */
  readonly name?: string | undefined;
}

/**
 * Explains a subject, running what it needs.
 * @throws FailureError `usage` for a name that there is not, with the nearest one; else as
 * compareDeflate.
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
    return explanation(name, ["cell"], compared.cells.flatMap(reasonsOf), compared);
  }
  const kinds = SUBJECTS.filter(([, names]) => names.includes(name)).map(([kind]) => kind);
  if (kinds.length === 0) throw unknown(name);
  return explanation(name, kinds, portrait(name), await compareDeflate({ ...how, ...about(name) }));
}

function explanation(
  name: string,
  kinds: readonly SubjectKind[],
  paragraphs: readonly string[],
  { cells, findings }: Pick<Comparison, "cells" | "findings">,
): Explanation {
  return { type: "explanation", name, kinds, paragraphs, cells, findings };
}

function portrait(name: string): readonly string[] {
  return [
    ...(isOneOf(PERSONA_NAMES, name) ? personaPortrait(name) : []),
    ...(isOneOf(HOST_NAMES, name) ? hostPortrait(name) : []),
    ...(isOneOf(DIALECTS, name) ? dialectPortrait(name) : []),
    ...(isOneOf(PATH_NAMES, name) ? pathPortrait(name) : []),
  ];
}

/** Which cells show what a subject is about. */
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
