/**
 * The style of this house, as a test: who may import whom, what a file opens with, how long it may
 * be, and that none is dead.
 *
 * It must not look into files that are made by tools. Invariant: a message names the file and says
 * what to do about it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
/** Past this, look for the two things that were made one. */
const LINES_MAX = 400;
const TEST_LINES_MAX = 600;
const COLUMNS_MAX = 100;

interface SourceFile {
  /** From the root, with forward slashes. */
  readonly name: string;
  readonly text: string;
}

function filesOf(folder: string, ending: RegExp): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort()
    .map((name) => ({ name, text: readFileSync(join(ROOT, name), "utf8") }));
}

const TS = /\.ts$/;
const product = ["src", "runtime", "assembly"].flatMap((folder) => filesOf(folder, TS));
const boot = filesOf("runtime", /\.(c|h|S|ld)$/);
const tests = filesOf("test", TS);
const names = new Set([...product, ...tests].map(({ name }) => name));

/** What a file imports or exports from, as written. */
function specifiers(text: string): string[] {
  const statements = text.matchAll(/^\s*(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"/gm);
  const bare = text.matchAll(/^import\s+"([^"]+)"/gm);
  const dynamic = text.matchAll(/\bimport\(\s*(?:\/\*.*?\*\/\s*)?"([^"]+)"/g);
  return [...statements, ...bare, ...dynamic].map((match) => match[1] as string);
}

/** The file that a relative import names, from the root; assembly/ leaves the ending out. */
function target(from: string, specifier: string): string {
  const path = normalize(join(dirname(from), specifier)).replaceAll("\\", "/");
  return TS.test(path) || /\.\w+$/.test(path) ? path : `${path}.ts`;
}

interface Import {
  readonly from: string;
  readonly specifier: string;
  /** For relative imports. */
  readonly to: string | undefined;
}

const imports: readonly Import[] = [...product, ...tests].flatMap(({ name, text }) =>
  specifiers(text).map((specifier) => ({
    from: name,
    specifier,
    to: specifier.startsWith(".") ? target(name, specifier) : undefined,
  })),
);

/** Imports by files in `from` that are not allowed, as "file imports what". */
function unwanted(from: string, isAllowed: (one: Import) => boolean): string[] {
  return imports
    .filter((one) => one.from.startsWith(from) && !isAllowed(one))
    .map((one) => `${one.from} imports ${one.specifier}`);
}

const isBelow =
  (...folders: string[]) =>
  ({ to }: Import) =>
    to !== undefined && folders.some((folder) => to.startsWith(folder));

describe("imports go one way", () => {
  it("assembly/ imports nothing outside itself", () => {
    expect(unwanted("assembly/", isBelow("assembly/"))).toEqual([]);
  });

  it("runtime/ imports nothing outside itself", () => {
    expect(unwanted("runtime/", isBelow("runtime/"))).toEqual([]);
  });

  it("src/ imports src/, runtime/ and packages, never test/ or assembly/", () => {
    const isAllowed = (one: Import) =>
      one.to === undefined || isBelow("src/", "runtime/", "package.json")(one);
    expect(unwanted("src/", isAllowed)).toEqual([]);
  });

  it("src/device/ imports nothing outside itself: the judge shares no code with the judged", () => {
    expect(unwanted("src/device/", isBelow("src/device/"))).toEqual([]);
  });

  it("runtime/ outside of its kernel knows no kernel", () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        from.startsWith("runtime/") &&
        !from.startsWith("runtime/kernel/") &&
        to?.startsWith("runtime/kernel/"),
    );
    expect(wrong).toEqual([]);
  });

  it("v86 is imported by src/vmm/v86/ alone", () => {
    const wrong = imports.filter(
      ({ from, specifier }) =>
        /^v86(\/|$)/.test(specifier) && from.startsWith("src/") && !/^src\/vmm\/v86/.test(from),
    );
    expect(wrong).toEqual([]);
  });

  it("src/cli/ starts nothing: no child processes there", () => {
    const wrong = imports.filter(
      ({ from, specifier }) => from.startsWith("src/cli/") && /child_process/.test(specifier),
    );
    expect(wrong).toEqual([]);
  });

  it("relative imports name files that are there, with their ending outside of assembly/", () => {
    const wrong = imports.filter(({ from, to, specifier }) => {
      if (to === undefined || /\.(json|wasm|mjs|d\.ts)$/.test(specifier)) return false;
      const asIs = from.startsWith("assembly/") || from.startsWith("src/embed/example/");
      return !names.has(to) || (!asIs && !TS.test(specifier));
    });
    expect(wrong).toEqual([]);
  });
});

/** The comment that a file opens with, or "". */
function header(text: string): string {
  return /^(?:#!.*\n)?(?:\/\*\*?[\s\S]*?\*\/|(?:(?:\/\/|#).*\n)+)/.exec(text)?.[0] ?? "";
}

describe("every file", () => {
  it("opens with a header comment that says what it is", () => {
    const wrong = [...product, ...boot, ...tests]
      .filter(({ text }) => header(text).replace(/[\s/*#]+/g, " ").length < 20)
      .map(({ name }) => name);
    expect(wrong).toEqual([]);
  });

  it.each([
    { what: "src, runtime and assembly", files: [...product, ...boot], most: LINES_MAX },
    { what: "test", files: tests, most: TEST_LINES_MAX },
  ])("of $what has at most $most lines", ({ files, most }) => {
    const wrong = files
      .map(({ name, text }) => ({ name, lines: text.trimEnd().split("\n").length }))
      .filter(({ lines }) => lines > most)
      .map(({ name, lines }) => `${name}: ${lines} lines; which two things were made one?`);
    expect(wrong).toEqual([]);
  });

  it(`has lines of at most ${COLUMNS_MAX} columns`, () => {
    const wrong = [...product, ...boot].flatMap(({ name, text }) =>
      text
        .split("\n")
        .map((line, index) => ({ at: `${name}:${index + 1}`, columns: line.length }))
        .filter(({ columns }) => columns > COLUMNS_MAX)
        .map(({ at, columns }) => `${at}: ${columns} columns`),
    );
    expect(wrong).toEqual([]);
  });

  it("is finished: no word for work left over", () => {
    // Spelt in halves, or this file would hold them.
    const words = ["TO-DO", "FIX-ME", "XX-X"].map((word) => word.replace("-", "")).join("|");
    const left = new RegExp(`(//|\\*|#) *(${words})\\b|\\b(${words})[:(]`);
    const wrong = [...product, ...boot, ...tests]
      .filter(({ text }) => left.test(text))
      .map(({ name, text }) => `${name}: ${left.exec(text)?.[0]}`);
    expect(wrong).toEqual([]);
  });
});

/** The code of a file: comments and the contents of strings left out. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""')
    .replace(/\/\/.*$/gm, "");
}

describe("runtime/", () => {
  it.each([
    ["a clock of the host", /\b(Date|performance)\b/],
    ["chance", /\bMath\.random\b|\bcrypto\b/],
    ["timers", /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
    ["a console", /\bconsole\b/],
    ["a process, a page or a browser", /\b(process|document|navigator)\./],
    ["the file system of a loader", /\b(require|__dirname|__filename)\b|\bimport\.meta\b/],
  ])("does without %s", (_what, forbidden) => {
    const wrong = product
      .filter(({ name, text }) => name.startsWith("runtime/") && forbidden.test(codeOf(text)))
      .map(({ name }) => `${name}: ask the Hal`);
    expect(wrong).toEqual([]);
  });

  it("imports no package and nothing of Node", () => {
    expect(unwanted("runtime/", ({ to }) => to !== undefined)).toEqual([]);
  });
});

describe("index.ts", () => {
  const isIndex = ({ name }: SourceFile) =>
    /^((src|runtime)\/(.*\/)?index|runtime\/abi)\.ts$/.test(name);

  it("holds names only, no logic", () => {
    const wrong = product.filter(isIndex).filter(({ text }) => {
      const code = codeOf(text).replace(/export\s+(type\s+)?(\{[^}]*\}|\*)\s+from\s+"";/g, "");
      return code.trim() !== "";
    });
    expect(wrong.map(({ name }) => `${name}: move what is not "export ... from"`)).toEqual([]);
  });
});

/** Files that nobody imports because something else starts from them. */
function entries(): string[] {
  const { exports, bin } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const built = [
    ...Object.values(exports).map((it) => (it as { default?: string }).default ?? ""),
    ...Object.values(bin ?? {}).map(String),
  ];
  const fromPackage = built
    .filter((path) => path.includes("dist/"))
    .map((path) => path.replace(/^(\.\/)?dist\//, "").replace(/\.js$/, ".ts"));
  return [
    ...fromPackage,
    "assembly/index.ts", // the compiler starts here
    "src/embed/example/guest.ts", // as above, for the example's guest program
    "runtime/kernel/main.ts", // bundled into the image
    ...tests.map(({ name }) => name).filter((name) => /\.test\.ts$|^test\/bench\//.test(name)),
    "src/embed/core-bytes.d.ts", // what package.json's "#core-bytes" is typed by
    "test/support/build-core.ts", // vitest's global setup
    "test/support/build-program.ts", // and that of the boots
  ];
}

/** The package's own names, for tests that import it as its users do. */
const OWN_NAMES: Readonly<Record<string, string>> = {
  ballonet: "src/index.ts",
  "ballonet/runtime": "runtime/index.ts",
  "ballonet/device": "src/device/index.ts",
};

describe("no file is dead", () => {
  const byFile = new Map<string, string[]>();
  for (const { from, to, specifier } of imports) {
    const found = to ?? OWN_NAMES[specifier];
    if (found !== undefined) byFile.set(from, [...(byFile.get(from) ?? []), found]);
  }
  const reached = new Set<string>();
  const queue = entries().filter((name) => names.has(name));
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    queue.push(...(byFile.get(name) ?? []));
  }

  it("in src, runtime and assembly: everything is reached from an entry", () => {
    // What only tests reach is dead too: it would ship for nobody.
    const wrong = product.filter(({ name }) => !reached.has(name)).map(({ name }) => name);
    expect(wrong).toEqual([]);
  });

  it("in test: every helper is used by a test", () => {
    const text = tests.map((file) => file.text).join("\n");
    const wrong = tests
      .filter(({ name }) => !reached.has(name))
      // A page or a worker is named by its path, not imported.
      .filter(({ name }) => !text.includes(name.split("/").at(-1) as string))
      .map(({ name }) => name);
    expect(wrong).toEqual([]);
  });
});
