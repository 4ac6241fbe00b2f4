/**
 * ballonet/lab: the experiment on the question whether a driver must tell the host before it uses a
 * page again. Public names only.
 */
export type { Paint, Style } from "../text/style.ts";
export {
  type CellMark,
  type CellOptions,
  type CellResult,
  type CellTouch,
  runCell,
} from "./cell.ts";
export { HOST_NAMES, PATH_NAMES } from "./cell-names.ts";
export { type CompareOptions, type Comparison, compareDeflate } from "./compare.ts";
export {
  type ExplainOptions,
  type Explanation,
  explainDeflate,
  type SubjectKind,
} from "./explain.ts";
export type { Finding } from "./findings.ts";
export type { ComparedCell, Manner, Outcome } from "./outcome.ts";
export { comparisonPage } from "./report/page.ts";
export { comparisonLines, explanationLines } from "./report/text.ts";
