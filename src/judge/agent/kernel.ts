/** A kernel of Linux as a file. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { FailureError } from "../../failure.ts";
import { describeFile, type KernelHeader, kernelHeader } from "./kernel-header.ts";

/** A kernel that a PC can start, and its file. */
export interface Kernel extends KernelHeader {
  readonly path: string;
}

/** @throws FailureError `missing` when it cannot be read, or is no kernel for a PC. */
export async function readKernel(path: string): Promise<Kernel> {
  const bytes = await readFile(path).catch((error: unknown) => {
    const seen = error instanceof Error ? error.message : String(error);
    throw refused(path, seen, "name the file of a kernel, such as /boot/vmlinuz");
  });
  const header = kernelHeader(bytes);
  if (header !== undefined) return { path, ...header };
  throw refused(path, describeFile(bytes), "give a bzImage of Linux for x86_64 or i386");
}

function refused(path: string, seen: string, todo: string): FailureError {
  return new FailureError({ kind: "missing", what: `kernel ${basename(path)}`, seen, todo });
}
