/** The boot code's alarm: when it starts a timer anew, and when it leaves it as it is. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { useBootProgram } from "./boot-program.ts";

const programFor = useBootProgram("alarm-program.c", "platform/alarm.c");

type Row = readonly [name: string, input: readonly string[], output: readonly string[]];

function judged(args: readonly string[]) {
  return ([, input, output]: Row, context: Parameters<typeof programFor>[0]) => {
    const options = { input: input.join("\n"), encoding: "utf8" } as const;
    const text = execFileSync(programFor(context), args, options);
    expect(text.trimEnd().split("\n")).toEqual(output);
  };
}

it.for<Row>([
  ["the first", ["set 0 100 100"], ["started"]],
  ["a later one than that which is set", ["set 0 100 100", "set 50 200 200"], ["started", "kept"]],
  ["an earlier one", ["set 0 100 100", "set 50 60 60"], ["started", "started"]],
  ["the next, after it rang", ["set 0 9 9", "ring", "set 9 20 20"], ["started", "started"]],
  ["the next, where the first never rang", ["set 0 9 9", "set 10 20 20"], ["started", "started"]],
])("%s", judged([]));

it.for<Row>([
  ["a long one by seconds", ["tick", "set 0 2000 2000"], ["second"]],
  ["a long one where none has ended yet", ["set 0 2000 2000"], ["started"]],
  [
    "what is left of it exactly",
    ["tick", "set 0 1999 1999", "set 1000 1999 1999"],
    ["second", "started"],
  ],
  ["what is left of it, where it may be late", ["tick", "set 1000 1999 2999"], ["second"]],
  ["a short one that may be a little late", ["tick", "set 0 100 999"], ["started"]],
])("by the PIT, %s", judged(["pit"]));
