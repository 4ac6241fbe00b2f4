/**
 * `ballonet compare`: options to a comparison, the comparison to text, JSON or a page.
 *
 * It compares nothing itself. Invariant: standard output has the result alone; progress is drawn on
 * standard error, and only on a terminal.
 */
import { writeFile } from "node:fs/promises";
import { FailureError } from "../../failure.ts";
import type { CompareOptions } from "../../lab/compare.ts";
import { formatBytes } from "../../text/units.ts";
import { GOOD } from "../exit-codes.ts";
import { type Laboratory, withProgress } from "../laboratory.ts";
import type { Given } from "../options.ts";
import { type Io, Screen } from "../terminal.ts";

function compareOptions(given: Given): CompareOptions {
  // The parser let nothing through that is none of these names.
  return {
    personas: given.values("persona") as NonNullable<CompareOptions["personas"]>,
    hosts: given.values("host") as NonNullable<CompareOptions["hosts"]>,
    paths: given.values("path") as NonNullable<CompareOptions["paths"]>,
    dialects: given.values("dialect") as NonNullable<CompareOptions["dialects"]>,
  };
}

export async function compare(parts: { given: Given; io: Io; lab: Laboratory }): Promise<number> {
  const { given, io, lab } = parts;
  const comparison = await withProgress(io, (onCell) =>
    lab.compareDeflate({ ...compareOptions(given), signal: io.signal, onCell }),
  );
  const file = given.value("html");
  const page = file === undefined ? "" : lab.comparisonPage(comparison);
  if (file !== undefined) await writePage(file, page);
  if (given.has("json")) io.out.write(`${JSON.stringify(comparison)}\n`);
  else {
    const screen = new Screen(io.out, io.environment);
    for (const line of lab.comparisonLines(comparison, screen.paint)) screen.line(line);
    if (file !== undefined) screen.line(`\npage: ${file}, ${formatBytes(Buffer.byteLength(page))}`);
  }
  return GOOD;
}

async function writePage(file: string, page: string): Promise<void> {
  try {
    await writeFile(file, page);
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    throw new FailureError({
      kind: "usage",
      what: "option --html",
      seen,
      todo: "name another file",
    });
  }
}
