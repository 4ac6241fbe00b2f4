/**
 * A file that a command writes at its end: whether it can be written is asked before the work.
 */
import { mkdir, open, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { FailureError } from "../failure.ts";

/** What is written where, for the user to see. */
export interface OutputFile {
  readonly path: string;
  /** The option that names it, or would: "--html". */
  readonly option: string;
  /** True: its folder is made, where there is none. */
  readonly makesFolder?: boolean;
}

/** Rejects with FailureError `missing` when the file cannot be written; it stays as it is. */
export async function expectWritable(file: OutputFile): Promise<void> {
  try {
    if (file.makesFolder) await mkdir(dirname(file.path), { recursive: true });
    const isNew = await stat(file.path).then(
      () => false,
      () => true,
    );
    await (await open(file.path, "a")).close();
    if (isNew) await rm(file.path, { force: true });
  } catch (error) {
    throw unwritable(file, error);
  }
}

/** Rejects with FailureError `missing` when the file cannot be written after all. */
export async function writeOutput(file: OutputFile, text: string): Promise<void> {
  try {
    await writeFile(file.path, text);
  } catch (error) {
    throw unwritable(file, error);
  }
}

/** Returns the failure of a file that could not be written after all. */
export function unwritable({ option }: OutputFile, error: unknown): FailureError {
  return new FailureError({
    kind: "missing",
    what: `option ${option}`,
    seen: error instanceof Error ? error.message : String(error),
    todo: `name a file that can be written: ${option} FILE`,
  });
}
