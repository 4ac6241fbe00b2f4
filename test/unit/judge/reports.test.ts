/** One report in every format. */
import { describe, expect, it } from "vitest";
import { REPORTS, reportLines } from "../../../src/judge/index.ts";
import { REPORT } from "./report.ts";

const EXPECTED: Record<string, string> = {
  text: `a <driver>, in process, device strict, mmio

  targets  up: D12 x500, D4 x500
  hints    left out: D12 (no hints)
  start    hung (no "end")
    #1 read status

D12 (MUST NOT, 5.5.6.1): No page is used before its inflate is acknowledged.
  501 times, in targets, hints
  seen: page 1124
  500 pages: 1124 to 1623
  follows from: Q-BUFFER-CAP
  #7 0.1ms queue inflateq take

D4 (SHOULD, 5.5.6.1): No page is used before its inflate is acknowledged.
  500 times, in targets
  seen: page 1124
  500 pages: 1124 to 1623
  follows from: Q-BUFFER-CAP
  #7 0.1ms queue inflateq take

failed: 2 scenarios, 1 left out; 2 rules broken, 1 of them MUST or MUST NOT; failed in targets, start`,
  tap: `TAP version 14
1..3
not ok 1 - targets
  ---
  outcome: up
  broken:
    - {"rule":"D12","level":"MUST NOT","count":500,"seen":"page 1124"}
    - {"rule":"D4","level":"SHOULD","count":500,"seen":"page 1124"}
  ...
not ok 2 - hints # SKIP no hints
not ok 3 - start
  ---
  outcome: hung
  note: "no \\"end\\""
  last_steps:
    - "#1 read status"
  ...`,
  junit: `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="ballonet judge, in process" tests="3" failures="3" skipped="1">
  <testcase classname="a &#60;driver&#62;" name="targets" time="1.500">
    <failure>outcome: up
D12 (MUST NOT, 5.5.6.1) x500: page 1124
D4 (SHOULD, 5.5.6.1) x500: page 1124</failure>
  </testcase>
  <testcase classname="a &#60;driver&#62;" name="hints" time="0.001">
    <skipped message="no hints"/>
  </testcase>
  <testcase classname="a &#60;driver&#62;" name="start" time="0.020">
    <failure>outcome: hung, no &#34;end&#34;
#1 read status</failure>
  </testcase>
</testsuite>`,
};

describe("a report", () => {
  it.each(REPORTS.filter((format) => format in EXPECTED))("as %s", (format) => {
    expect(reportLines(REPORT, format).join("\n")).toBe(EXPECTED[format]);
  });

  it("as JSON", () => {
    expect(JSON.parse(reportLines(REPORT, "json").join(""))).toEqual(REPORT);
  });
});
