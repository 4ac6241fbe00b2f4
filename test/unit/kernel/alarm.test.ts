/** The boot code's alarm: when it starts the timer anew, and when it leaves it as it is. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { useBootProgram } from "./boot-program.ts";

const programFor = useBootProgram("alarm-program.c", "platform/alarm.c");

it.for([
  ["the first", ["set 0 100"], ["started"]],
  ["a later one than that which is set", ["set 0 100", "set 50 200"], ["started", "kept"]],
  ["an earlier one", ["set 0 100", "set 50 60"], ["started", "started"]],
  ["the next, after it rang", ["set 0 100", "ring", "set 100 200"], ["started", "started"]],
  ["the next, where the first never rang", ["set 0 100", "set 101 200"], ["started", "started"]],
] as const)("%s", ([, input, output], context) => {
  const text = execFileSync(programFor(context), { input: input.join("\n"), encoding: "utf8" });
  expect(text.trimEnd().split("\n")).toEqual(output);
});
