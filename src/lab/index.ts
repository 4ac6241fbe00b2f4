/**
 * ballonet/lab: the experiment on the question whether a driver must tell the host before it uses a
 * page again, and policies played on traces of demand. Public names only.
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
export { simulationLines } from "./report/simulation-text.ts";
export { comparisonLines, explanationLines } from "./report/text.ts";
export {
  type SimulateOptions,
  type Simulation,
  type SimulationSample,
  simulate,
} from "./simulate.ts";
export { checkedTrace, namedTrace, TRACE_NAMES, type TraceName, type TraceStep } from "./traces.ts";
