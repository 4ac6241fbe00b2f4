/**
 * Which file imports which. Imports of types count as others do; in the kernel's C, a file
 * "imports" the file that defines a function it names.
 */
import { dirname, join, normalize } from "node:path";
import { circlesOf, folderGraphs, graphOf } from "./circles.ts";
import { codeOf, kernelC, product, tests } from "./source-files.ts";

export interface Import {
  readonly from: string;
  /** As written; in C, the function's name. */
  readonly specifier: string;
  /** The file, from the root; undefined for a package. */
  readonly to: string | undefined;
}

/** What a file imports or exports from, as written. */
function specifiers(text: string): string[] {
  const statements = text.matchAll(/^\s*(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"/gm);
  const bare = text.matchAll(/^import\s+"([^"]+)"/gm);
  const dynamic = text.matchAll(/\bimport\(\s*(?:\/\*.*?\*\/\s*)?"([^"]+)"/g);
  return [...statements, ...bare, ...dynamic].map((match) => match[1] as string);
}

/** The file that a relative import names; assembly/ leaves the ending out. */
function target(from: string, specifier: string): string {
  const path = normalize(join(dirname(from), specifier)).replaceAll("\\", "/");
  return /\.\w+$/.test(path) ? path : `${path}.ts`;
}

export const imports: readonly Import[] = [...product, ...tests].flatMap(({ name, text }) =>
  specifiers(text).map((specifier) => ({
    from: name,
    specifier,
    to: specifier.startsWith(".") ? target(name, specifier) : undefined,
  })),
);

/** The functions that other C files can call. */
function definedIn(code: string): string[] {
  const heads = code.matchAll(/^(?!static\b)[A-Za-z_][\w\s*()]*?\b(\w+)\([^;{}()]*\)\s*\{/gm);
  return [...heads].map((match) => match[1] as string);
}

function cImports(): Import[] {
  const files = kernelC
    .filter(({ name }) => name.endsWith(".c"))
    .map(({ name, text }) => ({ name, code: codeOf(text) }));
  const homes = new Map(files.flatMap(({ name, code }) => definedIn(code).map((it) => [it, name])));
  return files.flatMap(({ name: from, code }) =>
    [...new Set(code.match(/\b[A-Za-z_]\w*\b/g))]
      .map((specifier) => ({ from, specifier, to: homes.get(specifier) }))
      .filter(({ to }) => to !== undefined && to !== from),
  );
}

export interface Arrow extends Import {
  readonly to: string;
}

/** Imports between the repository's own files. */
export const arrows: readonly Arrow[] = [...imports, ...cImports()].filter(
  (one): one is Arrow => one.to !== undefined,
);

const pairs = arrows.map(({ from, to }) => [from, to] as const);
const graph = graphOf(pairs);

export const fileCircles = circlesOf(graph);
/** With a folder in each; a folder's own files may be part of its circles. */
export const folderCircles = [...folderGraphs(pairs).values()]
  .flatMap(circlesOf)
  .filter((circle) => circle.some((entry) => !/\.\w+$/.test(entry)));

/** The imports that lead from one member of a circle to another. */
export function arrowsWithin(circle: readonly string[]): readonly Arrow[] {
  const memberOf = (file: string) => circle.find((it) => file === it || file.startsWith(`${it}/`));
  return arrows.filter(({ from, to }) => {
    const [left, right] = [memberOf(from), memberOf(to)];
    return left !== undefined && right !== undefined && left !== right;
  });
}

/** The graph in figures. */
export function graphFigures(): string {
  const count = [...graph.values()].reduce((sum, targets) => sum + targets.size, 0);
  return (
    `${new Set(pairs.flat()).size} files, ${count} arrows, ` +
    `circles of files: ${fileCircles.length}, of folders: ${folderCircles.length}`
  );
}
