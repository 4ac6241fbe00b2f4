/** Files as the TypeScript compiler's parser sees them, each parsed once. */
import ts from "typescript";
import type { SourceFile } from "./source-files.ts";

const parsed = new Map<string, ts.SourceFile>();

export function parse({ name, text }: SourceFile): ts.SourceFile {
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  parsed.set(name, source);
  return source;
}
