/** Units of the boot code as a program of this machine, with a test's own main around them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, type TestContext } from "vitest";
import { compile, findHostCompiler } from "../../../src/image/compiler.ts";
import { toolOrSkip } from "../../support/tools.ts";

/**
 * Compiles `main`, a file beside this one, with units of the boot code, for the tests of a file.
 * Returns what gives the program's path to a test, or skips it where there is no compiler.
 */
export function useBootProgram(
  main: string,
  ...units: readonly string[]
): (context: TestContext) => string {
  let directory: string | undefined;
  let program: string | undefined;

  beforeAll(async () => {
    // The boot code's header has instructions of this processor in it.
    if (process.arch !== "x64") return;
    const compiler = await findHostCompiler().catch(() => undefined);
    if (compiler === undefined) return;
    directory = mkdtempSync(join(tmpdir(), "ballonet-boot-program-"));
    const sources = [main, ...units.map((unit) => `../../../runtime/kernel/boot/${unit}`)];
    const paths = sources.map((it) => fileURLToPath(new URL(it, import.meta.url)));
    program = join(directory, "program");
    await compile({ compiler, directory, args: ["-O1", "-fno-builtin", "-o", program, ...paths] });
  });
  afterAll(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });
  return (context) => toolOrSkip(context, program, "C compiler for x86-64");
}
