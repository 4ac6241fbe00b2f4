/**
 * `ballonet list`: the names that other commands take, each with a sentence.
 */
import { wrapped } from "../../text/wrap.ts";
import { CATALOG, LIST_NAMES, type ListName } from "../catalog.ts";
import { type Call, type CommandSpec, HELP } from "../command.ts";
import { GOOD } from "../exit-codes.ts";
import { Screen } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "list",
  text: "list rules, scenarios, behaviours, policies and the like",
  operand: {
    value: "WHAT",
    choices: LIST_NAMES,
    required: true,
    text: LIST_NAMES.join(", "),
  },
  options: [{ name: "json", text: "print one JSON object" }, HELP],
  notes: [
    "`ballonet explain NAME` tells more of one of them.",
    "JSON.md describes what --json prints.",
  ],
  examples: [
    ["ballonet list rules", "what a driver is judged by"],
    ["ballonet list scenarios", "what `ballonet judge` can do to a driver"],
  ],
};

/** Narrower lines would break each text into single words. */
const COLUMNS_LEAST = 60;
const COLUMNS_MOST = 100;

export async function run({ given, io }: Call): Promise<number> {
  // The parser has refused every other word.
  const list = given.operand as ListName;
  const entries = CATALOG[list].map(({ name, text }) => ({ name, text }));
  if (given.has("json")) {
    io.out.write(`${JSON.stringify({ type: "list", list, entries })}\n`);
    return GOOD;
  }
  const screen = new Screen(io.out, io.environment);
  const width = Math.max(...entries.map(({ name }) => name.length)) + 2;
  const columns = Math.min(COLUMNS_MOST, Math.max(COLUMNS_LEAST, screen.columns)) - width;
  for (const { name, text } of entries) {
    const [first, ...more] = wrapped(text, columns);
    screen.line(`${screen.style("bold", name)}${" ".repeat(width - name.length)}${first}`);
    for (const line of more) screen.line(`${" ".repeat(width)}${line}`);
  }
  return GOOD;
}
