/** How a program is bundled for the guest: what is in the script, and what is refused. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { bundleProgram } from "../../../../src/image/program/bundle-program.ts";

let folder = "";
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes the files, and bundles the one that is called app.ts. */
async function bundled(files: Readonly<Record<string, string>>) {
  folder = await mkdtemp(join(tmpdir(), "bundle-program-"));
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  return bundleProgram(join(folder, "app.ts"));
}

describe("a program to bundle", () => {
  it("is there although its package says that no module has effects", async () => {
    const { script, inputs } = await bundled({
      "package.json": '{ "name": "mine", "type": "module", "sideEffects": false }',
      "app.ts": 'console.log("it runs" satisfies string);',
    });
    expect(script).toContain("it runs");
    expect(inputs).toContain(join(folder, "app.ts"));
  });

  it("brings the packages that it imports, in their variants without Node", async () => {
    const { script } = await bundled({
      "package.json": '{ "type": "module" }',
      "app.ts": 'import { name } from "where"; console.log(name);',
      "node_modules/where/package.json":
        '{ "main": "node.js", "browser": "browser.js", "type": "module" }',
      "node_modules/where/node.js": 'export const name = "for Node";',
      "node_modules/where/browser.js": 'export const name = "for browsers";',
    });
    expect(script).toContain("for browsers");
    expect(script).not.toContain("for Node");
  });

  it("has URL where it uses it, and the library nowhere else", async () => {
    const { script: without } = await bundled({ "app.ts": "const URL = 1; console.log(URL);" });
    expect(without.length).toBeLessThan(20_000);
    const { script } = await bundled({
      "app.ts": 'import { parse } from "part"; console.log(parse("http://a/../b?c").href);',
      "node_modules/part/package.json": '{ "main": "index.js", "type": "module" }',
      "node_modules/part/index.js": "export const parse = (text) => new URL(text);",
    });
    expect(script.length).toBeGreaterThan(without.length + 30_000);
    expect(script.length).toBeLessThan(without.length + 45_000);
  });

  it("is refused for a module of Node, with the file that imports it", async () => {
    const files = { "app.ts": 'import { readFile } from "node:fs"; readFile;' };
    await expect(bundled(files)).rejects.toMatchObject({
      code: "program",
      seen: expect.stringMatching(/"node:fs" in .*app\.ts is a module of Node/),
    });
  });
});
