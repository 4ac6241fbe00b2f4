/** The boot code's alarm: when it starts a timer anew, and when it leaves it as it is. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { useBootProgram } from "./boot-program.ts";

const programFor = useBootProgram("alarm-program.c");

const NINE_MS = "started 9001";

type Row = readonly [name: string, input: readonly string[], output: readonly string[]];

function judged(args: readonly string[]) {
  return ([, input, output]: Row, context: Parameters<typeof programFor>[0]) => {
    const options = { input: input.join("\n"), encoding: "utf8" } as const;
    const text = execFileSync(programFor(context), args, options);
    expect(text.trimEnd().split("\n")).toEqual(output);
  };
}

it.for<Row>([
  ["the first", ["set 0 100 100"], ["started 100001"]],
  ["a later one than that set", ["set 0 100 100", "set 50 200 200"], ["started 100001", "kept"]],
  ["an earlier one", ["set 0 100 100", "set 50 60 60"], ["started 100001", "started 10001"]],
  ["the next, after it rang", ["set 0 9 9", "ring", "set 9 20 20"], [NINE_MS, "started 11001"]],
  [
    "the next, where the first never rang",
    ["set 0 9 9", "set 10 20 20"],
    [NINE_MS, "started 10001"],
  ],
  [
    "a timer that runs a little too fast",
    ["set 0 100 100", "ring", "set 96 196 196"],
    ["started 100001", "started 104167"],
  ],
  [
    "a timer that runs twenty times as fast as was measured",
    ["set 0 2000 2000", "ring", "set 100 2000 2000"],
    ["started 2000001", "started 38000001"],
  ],
  [
    "a ring that was for another one",
    ["set 0 2000 2000", "other", "set 100 2000 2000"],
    ["started 2000001", "started 1900001"],
  ],
  [
    "a ring of the same moment",
    ["set 100 2000 2000", "ring", "set 100 2000 2000"],
    ["started 1900001", "started 1900001"],
  ],
])("%s", judged([]));

it.for<Row>([
  ["a long one by seconds", ["tick", "set 0 2000 2000"], ["second"]],
  ["a long one where none has ended yet", ["set 0 2000 2000"], ["started 59660"]],
  [
    "what is left of it exactly",
    ["tick", "set 0 1999 1999", "set 1000 1999 1999"],
    ["second", "started 59660"],
  ],
  ["what is left of it, where it may be late", ["tick", "set 1000 1999 2999"], ["second"]],
  ["a short one that may be a little late", ["tick", "set 0 100 999"], ["started 59660"]],
])("by the PIT, %s", judged(["pit"]));
