/** Rules: every file is reached from where something starts. */
import { describe, expect, it } from "vitest";
import { imports } from "./import-graph.ts";
import { programs, publicEntries } from "./package-entries.ts";
import { product, tests } from "./source-files.ts";

/** Files that nobody imports because something else starts from them. */
const ENTRIES = [
  ...publicEntries.values(),
  ...programs,
  "assembly/index.ts", // the compiler starts here
  "src/embed/example/guest.ts", // as above, for the example's guest program
  "src/embed/example/vm.ts", // shows users how to embed
  "src/embed/core-wasm.d.ts", // the types of "ballonet/core.wasm"
  "src/embed/core-bytes.d.ts", // what package.json types "#core-bytes" by
  "runtime/kernel/main.ts", // bundled into the image
  "runtime/kernel/check-main.ts", // and into the one that checks a device
  "src/judge/in-process/worker.ts", // started as a thread
  "src/check/hosts/v86-thread.ts", // and this
  "src/judge/browser.ts", // what bundlers for pages take as "ballonet/judge"
  "src/play/page/main.ts", // bundled into the page of `ballonet play`
  ...tests.map(({ name }) => name).filter((name) => /\.test\.ts$|^test\/bench\//.test(name)),
  "test/support/build-core.ts", // vitest's global setup
  "test/support/build-program.ts", // and that of the boots
];

function reachedFrom(entries: readonly string[]): ReadonlySet<string> {
  const byFile = new Map<string, string[]>();
  for (const { from, to, specifier } of imports) {
    // Tests import the package as its users do, too.
    const found = to ?? publicEntries.get(specifier);
    if (found !== undefined) byFile.set(from, [...(byFile.get(from) ?? []), found]);
  }
  const reached = new Set<string>();
  const queue = [...entries];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    queue.push(...(byFile.get(name) ?? []));
  }
  return reached;
}

describe("no file is dead", () => {
  const reached = reachedFrom(ENTRIES);

  it("in src, runtime and assembly: everything is reached from an entry", () => {
    // What only tests reach is dead too: it would ship for nobody.
    const shipped = reachedFrom(ENTRIES.filter((name) => !name.startsWith("test/")));
    const wrong = product.filter(({ name }) => !shipped.has(name)).map(({ name }) => name);
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
