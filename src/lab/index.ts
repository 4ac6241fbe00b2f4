/**
 * ballonet/lab: the laboratory of the question whether a driver has to tell first.
 *
 * Public names only.
 */
export {
  type ComparedCell,
  type CompareOptions,
  type Comparison,
  compareDeflate,
} from "./compare.ts";
export { comparisonPage } from "./compare-page.ts";
export { comparisonLines } from "./compare-text.ts";
export {
  type CellMark,
  type CellOptions,
  type CellResult,
  type CellTouch,
  runCell,
} from "./deflate-lab.ts";
export {
  type ExplainOptions,
  type Explanation,
  explainDeflate,
  type SubjectKind,
} from "./explain.ts";
export { explanationLines } from "./explain-text.ts";
export type { Finding } from "./findings.ts";
export type { Manner, Outcome } from "./outcome.ts";
export type { Paint, Style } from "./paint.ts";
export { HOST_NAMES, PATH_NAMES } from "./subjects.ts";
