/** A report with a bit of everything, for tests of what is made of one. */
import type { JudgeReport } from "../../../src/judge/index.ts";

const broken = {
  rule: "D12",
  level: "MUST NOT",
  section: "5.5.6.1",
  title: "No page is used before its inflate is acknowledged.",
  count: 500,
  pages: { count: 500, ranges: "1124 to 1623" },
  seen: "page 1124",
  firstMs: 1,
  lastMs: 9,
  cause: "Q-BUFFER-CAP",
  lines: ["#7 0.1ms queue inflateq take"],
} as const;

export const REPORT: JudgeReport = {
  type: "judge",
  driver: "a <driver>",
  platform: "in process",
  profile: "strict",
  transport: "mmio",
  settings: { vectors: "3" },
  scenarios: ["targets", "hints", "start"],
  shard: null,
  results: [
    {
      ...{ scenario: "targets", text: "Up and down.", outcome: "up", note: null, lastSteps: [] },
      ...{ findings: [broken, { ...broken, rule: "D4", level: "SHOULD" }], passed: false },
      tookMs: 1500,
    },
    {
      ...{ scenario: "hints", text: "Hints.", outcome: null, note: "no hints", lastSteps: [] },
      ...{ findings: [{ ...broken, count: 1 }], passed: false, tookMs: 1 },
    },
    {
      ...{ scenario: "start", text: "Start.", outcome: "hung", note: 'no "end"', passed: false },
      ...{ findings: [], lastSteps: ["#1 read status"], tookMs: 20 },
    },
  ],
  passed: false,
};
