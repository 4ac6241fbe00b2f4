/** The workflow in LINUX.md: each command in it is one that the program takes. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { COMMANDS } from "../../../src/cli/cli.ts";
import { parseOptions } from "../../../src/cli/options.ts";

const paper = readFileSync(new URL("../../../LINUX.md", import.meta.url), "utf8");
const [, workflow = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(paper) ?? [];
const MATRIX = /\$\{\{ matrix\.shard \}\}/g;
const commands = [...workflow.matchAll(/run: npx ballonet (.*)$/gm)].map(([, line = ""]) =>
  line.replace(MATRIX, "2").split(" "),
);

it.each(commands)("ballonet %s ...", (name, ...args) => {
  const spec = COMMANDS.map((command) => command.spec).find((one) => one.name === name);
  if (spec === undefined) throw new Error(`no command ${name}`);
  const { options: specs, operand, files } = spec;
  const given = parseOptions({ command: name, specs, operand, files, args });
  expect(given.values("report").length).toBeGreaterThan(0);
});

it("runs as many shards as its matrix has, and merges a report of each", () => {
  const [judged = [], merged = []] = commands;
  const [, shards = ""] = /shard: \[(.*)\]/.exec(workflow) ?? [];
  const numbers = shards.split(", ");
  expect(judged).toContain(`2/${numbers.length}`);
  expect(judged).toContain("json=2.json");
  expect(merged).toEqual(expect.arrayContaining(numbers.map((number) => `${number}.json`)));
});
