/** Reads the files that options name. */
import { readFile } from "node:fs/promises";
import { FailureError } from "../failure.ts";

/**
 * Returns the contents of the file that `--option` names. Rejects with FailureError `missing` when
 * it cannot be read; `what` says there what is in such a file.
 */
export function readInput(
  option: string,
  file: string,
  what: string,
): Promise<Buffer<ArrayBuffer>> {
  return readFile(file).catch((error: Error) => {
    throw new FailureError({
      kind: "missing",
      what: `option --${option}`,
      seen: error.message,
      todo: `name ${what} that can be read: --${option} FILE`,
    });
  });
}
