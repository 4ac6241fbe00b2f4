/** The sizes of files and folders: large ones are a question, not a mistake. */
import { dirname } from "node:path";
import { kernelC, lineCount, product, tests } from "./source-files.ts";

const FILE_LINES = 400;
const FOLDER_FILES = 20;

interface Sized {
  readonly name: string;
  readonly size: number;
}

const largestFirst = (one: Sized, other: Sized) => other.size - one.size;

const all = [...product, ...kernelC, ...tests];

const files: readonly Sized[] = all
  .map(({ name, text }) => ({ name, size: lineCount(text) }))
  .sort(largestFirst);

const folders: readonly Sized[] = [...new Set(all.map(({ name }) => dirname(name)))]
  .map((name) => ({ name, size: all.filter((file) => dirname(file.name) === name).length }))
  .sort(largestFirst);

/** What to think about. */
export function sizeWarnings(): string[] {
  return [
    ...files
      .filter(({ size }) => size > FILE_LINES)
      .map(({ name, size }) => `warning: ${name} has ${size} lines: are two things one here?`),
    ...folders
      .filter(({ size }) => size > FOLDER_FILES)
      .map(({ name, size }) => `warning: ${name}/ has ${size} files: are two rooms one here?`),
  ];
}

export function sizeFigures(): string {
  const [[file], [folder]] = [files, folders];
  return (
    `largest folder: ${folder?.name} (${folder?.size} files), ` +
    `largest file: ${file?.name} (${file?.size} lines)`
  );
}
