/**
 * An explanation as lines of text.
 */
import type { Paint } from "../../text/style.ts";
import { wrapped } from "../../text/wrap.ts";
import { type Explanation, SUBJECTS } from "../explain.ts";
import { QUESTION } from "../subject-descriptions.ts";
import { findingLines } from "./text.ts";

/** Returns the lines of an explanation; the question lists all names. `paint` adds colours. */
export function explanationLines(explanation: Explanation, paint: Paint): string[] {
  const { name, kinds, paragraphs, findings } = explanation;
  const isQuestion = kinds.includes("question");
  const title = isQuestion ? QUESTION : `${name}: ${kinds.join(" and ")}`;
  return [
    paint("bold", title),
    ...paragraphs.flatMap((text) => ["", ...wrapped(text)]),
    ...(findings.length === 0 ? [] : ["", paint("bold", "Run just now")]),
    ...findings.flatMap((finding) => findingLines(finding, paint)),
    ...(isQuestion ? subjectLines(paint) : []),
  ];
}

const KIND_CHARS = 9;

function subjectLines(paint: Paint): string[] {
  const rows = SUBJECTS.map(([kind, names]) => `  ${kind.padEnd(KIND_CHARS)}${names.join(" ")}`);
  return [
    "",
    paint("bold", "What can be explained"),
    ...rows,
    `  ${"cell".padEnd(KIND_CHARS)}PERSONA/HOST, and then /DIALECT, /PATH: windows/locked-always,`,
    `  ${"".padEnd(KIND_CHARS)}linux/two-bit/two-bit, linux/locked/to-old`,
  ];
}
