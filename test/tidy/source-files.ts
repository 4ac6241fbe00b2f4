/** The files that the rules read: product code, the kernel's C, tests. Built files are not read. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly name: string;
  readonly text: string;
}

export function readRootFile(name: string): string {
  return readFileSync(join(ROOT, name), "utf8");
}

function filesOf(folder: string, ending: RegExp): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort()
    .map((name) => ({ name, text: readRootFile(name) }));
}

/** TypeScript that ships. */
export const product = ["src", "runtime", "assembly"].flatMap((folder) => filesOf(folder, /\.ts$/));
/** C, assembler and linker script of the kernel. */
export const kernelC = filesOf("runtime", /\.(c|h|inc|S|ld)$/);
export const tests = filesOf("test", /\.ts$/);

/** The code of a file: comments and the contents of strings left out. */
export function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""')
    .replace(/\/\/.*$/gm, "");
}

export function lineCount(text: string): number {
  return text.trimEnd().split("\n").length;
}
