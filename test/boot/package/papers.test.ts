/** The TypeScript in the papers: it compiles against the package as published, and it runs. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { transform } from "esbuild";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUILD_MS, ROOT } from "../support/cli-program.ts";
import { installPackage, linkDependencies, packImages } from "../support/packed.ts";

interface Example {
  /** The paper, and which of its blocks of TypeScript; or the file that its first line names. */
  readonly name: string;
  readonly code: string;
  /** A file that others import is not run by itself. */
  readonly isFile: boolean;
}

async function examples(): Promise<Example[]> {
  const papers = (await readdir(ROOT)).filter((name) => name.endsWith(".md"));
  const texts = await Promise.all(papers.map((paper) => readFile(join(ROOT, paper), "utf8")));
  return papers.flatMap((paper, index) =>
    [...(texts[index] ?? "").matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match, block) => {
      const code = match[1] ?? "";
      const file = /^\/\/ ([\w-]+)\.ts$/m.exec(code.split("\n", 1)[0] ?? "")?.[1];
      const name = file ?? `${paper.replace(".md", "").toLowerCase()}-${block + 1}`;
      return { name, code, isFile: file !== undefined };
    }),
  );
}

/** The packages of others that examples import. */
function packagesOf(all: readonly Example[]): string[] {
  const from = all.flatMap(({ code }) => [...code.matchAll(/ from "([\w-]+)"/g)]);
  return from.flatMap(([, name = ""]) => (name === "ballonet" ? [] : [name]));
}

const all = await examples();
/** An example may build an image, whose engine takes a minute to compile on a busy machine. */
const EXAMPLE_MS = 300_000;

/** What the examples print, where it does not hang on the machine. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  // As many pages as half of the guest's memory, and none.
  "readme-3": /^8192\n0$/m,
  "readme-1": /^4096$/m,
  "guide-2": /^8192 8192\n0 \d+$/m,
  "guide-4": /^4096 up 0$/m,
  "guide-6": /^D9 \(MUST, 5\.5\.6\.1\): Every page that is taken back goes through/m,
  "guide-7": /^D9 \(MUST, /m,
  "guide-8": /^4096 0$/m,
  "guide-10": /^gentle: 30\.9 s; a full bar is 64\.0 MiB$/m,
  "guide-14": /^guest: ready, called sieve$[\s\S]*168[\s\S]*^ended with 0$/m,
  "guide-12": /program: turn 2,/,
  "guide-17": /^STATUS-CONSUME used idx 1 without DRIVER_OK\nFRAMING holds\ntrue\nHOSTILE /m,
  "readme-2": /^Q-BUFFER-CAP \(FIELD, .*\n {2}seen: inflate: 512 pages in one buffer$/m,
};

let app = "";

beforeAll(async () => {
  app = await realpath(await mkdtemp(join(tmpdir(), "ballonet-papers-")));
  await packImages();
  await installPackage(app);
  await linkDependencies(app, packagesOf(all));
  await writeFile(join(app, "package.json"), '{ "private": true, "type": "module" }\n');
  for (const { name, code } of all) {
    await writeFile(join(app, `${name}.ts`), code);
    const module = await transform(code, { loader: "ts", format: "esm" });
    await writeFile(join(app, `${name}.js`), module.code);
  }
}, BUILD_MS);
afterAll(() => rm(app, { recursive: true, force: true }));

const RESOLUTIONS = {
  node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
} as const;

/** Entries whose types speak of Node. */
const ON_NODE = /from "ballonet\/(vmm|image|session|judge|check)"/;
/** Whether an example speaks of Node, by itself or by another one that it imports. */
function isOnNode({ code }: Example): boolean {
  const files = [...code.matchAll(/from "\.\/([\w-]+)\.js"/g)].map(([, name]) => name);
  return ON_NODE.test(code) || all.some((one) => files.includes(one.name) && isOnNode(one));
}
const WHERE = {
  anywhere: { isNode: false, types: [] },
  "in Node": { isNode: true, types: ["node"] },
} as const;
const WAYS = Object.entries(RESOLUTIONS).flatMap(([name, how]) =>
  Object.entries(WHERE).map(([where, { isNode, types }]) => ({ name, how, where, isNode, types })),
);

it.each(WAYS)("compile, strictly, with resolution $name, $where", ({ how, isNode, types }) => {
  const examples = all.filter((example) => isOnNode(example) === isNode);
  const program = ts.createProgram({
    rootNames: examples.map(({ name }) => join(app, `${name}.ts`)),
    options: {
      ...how,
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
      types: [...types],
      typeRoots: [join(ROOT, "node_modules/@types")],
    },
  });
  const said = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, "\n");
    return `${file?.fileName.slice(app.length + 1)}: ${text}`;
  });
  expect(said).toEqual([]);
});

describe("run", () => {
  it.each(all.filter(({ isFile }) => !isFile).map(({ name }) => name))(
    "%s",
    async (name) => {
      const { stdout } = await promisify(execFile)(process.execPath, [join(app, `${name}.js`)], {
        cwd: app,
        timeout: EXAMPLE_MS,
        // Images that examples build take a minute: their parts are kept, and not in a user's cache.
        env: { ...process.env, XDG_CACHE_HOME: join(ROOT, "build") },
      });
      expect(stdout).toMatch(PRINTED[name] ?? /./);
    },
    EXAMPLE_MS,
  );

  it("as many as the table of what they print names", () => {
    const missing = Object.keys(PRINTED).filter((name) => !all.some((one) => one.name === name));
    expect(missing).toEqual([]);
  });
});
