/** Rules: what the package's entries hold, and that their names are documented. */
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { publicEntries } from "./package-entries.ts";
import { parse } from "./parse.ts";
import { codeOf, product, readRootFile } from "./source-files.ts";

const files = new Map(product.map((file) => [file.name, file]));

function fileOf(name: string): ts.SourceFile {
  const file = files.get(name);
  if (file === undefined) throw new Error(`${name}: no such file, see "exports" in package.json`);
  return parse(file);
}

interface Declared {
  readonly file: string;
  readonly name: string;
}

/** Where the names that a file exports are declared, followed through "export ... from". */
function exportedBy(file: string, wanted: (name: string) => boolean): Declared[] {
  return fileOf(file).statements.flatMap((statement): Declared[] => {
    if (!ts.isExportDeclaration(statement)) {
      return declaredBy(statement)
        .filter(wanted)
        .map((name) => ({ file, name }));
    }
    const { moduleSpecifier, exportClause } = statement;
    const from = moduleSpecifier && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : "";
    const target = from === "" ? file : normalize(join(dirname(file), from));
    if (exportClause === undefined) return exportedBy(target, wanted);
    if (!ts.isNamedExports(exportClause)) return [];
    const own = exportClause.elements.filter(({ name }) => wanted(name.text));
    const names = own.map(({ name, propertyName }) => (propertyName ?? name).text);
    if (target === file) return names.map((name) => ({ file, name }));
    return names.length === 0 ? [] : exportedBy(target, (name) => names.includes(name));
  });
}

function declaredBy(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const name = (statement as { readonly name?: ts.Node }).name?.getText();
  return name === undefined ? [] : [name];
}

/** Whether a comment that is not the file's header stands above the declaration. */
function isDocumented({ file, name }: Declared): boolean {
  const source = fileOf(file);
  const declarations = source.statements.filter(
    (it) => !ts.isExportDeclaration(it) && declaredBy(it).includes(name),
  );
  return declarations.some((it) =>
    ts.getJSDocCommentsAndTags(it).some((comment) => comment.pos > 0),
  );
}

describe("public names", () => {
  it("are documented where they are declared", () => {
    const declared = [...publicEntries.values()].flatMap((entry) => exportedBy(entry, () => true));
    const wrong = declared
      .filter((one) => !isDocumented(one))
      .map(({ file, name }) => `${file} ${name}: give it a docstring`);
    expect([...new Set(wrong)]).toEqual([]);
  });

  it("are the entries of the documentation", () => {
    const { entryPoints } = JSON.parse(readRootFile("typedoc.json"));
    expect(entryPoints, "typedoc.json").toEqual([...publicEntries.values()]);
  });
});

describe("index.ts", () => {
  it("holds names only, no logic", () => {
    const wrong = product
      .filter(({ name }) => /^((src|runtime)\/(.*\/)?index|runtime\/abi)\.ts$/.test(name))
      .filter(({ text }) => {
        const code = codeOf(text).replace(/export\s+(type\s+)?(\{[^}]*\}|\*)\s+from\s+"";/g, "");
        return code.trim() !== "";
      })
      .map(({ name }) => `${name}: move what is not "export ... from"`);
    expect(wrong).toEqual([]);
  });
});
