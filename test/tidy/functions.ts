/** Finds long functions: in TypeScript with the compiler's parser, in C by the braces of column 1. */
import ts from "typescript";
import { parse } from "./parse.ts";
import { lineCount, type SourceFile } from "./source-files.ts";

export interface LongFunction {
  readonly file: string;
  readonly name: string;
  readonly lines: number;
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const named = node.name ?? (node.parent as { readonly name?: ts.Node }).name;
  return named?.getText() ?? "(unnamed)";
}

function inTypeScript(file: SourceFile, most: number): LongFunction[] {
  const found: LongFunction[] = [];
  const source = parse(file);
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node): void => {
    const lines = lineAt(node.end) - lineAt(node.getStart()) + 1;
    if (lines <= most) return;
    if (ts.isFunctionLike(node)) found.push({ file: file.name, name: nameOf(node), lines });
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return found;
}

function inC({ name: file, text }: SourceFile, most: number): LongFunction[] {
  const bodies = text.matchAll(/^[A-Za-z_][^\n;]*?(\w+)\([^;]*?\{$[\s\S]*?^\}/gm);
  return [...bodies]
    .map(([body, name]) => ({ file, name: name as string, lines: lineCount(body) }))
    .filter(({ lines }) => lines > most);
}

/** The functions of more than `most` lines, from their first line to the closing brace. */
export function longFunctions(files: readonly SourceFile[], most: number): LongFunction[] {
  return files.flatMap((file) => {
    if (file.name.endsWith(".ts")) return inTypeScript(file, most);
    return file.name.endsWith(".c") ? inC(file, most) : [];
  });
}
