/** The embed API in a real browser: the same VM, machine and guest program, inside a page. */
import { readFile } from "node:fs/promises";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { titleOf } from "../support/chromium.ts";

it("inflates and deflates inside a page", async (context) => {
  const bundle = await build({
    entryPoints: ["test/browser/page.ts"],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
  });
  const title = await titleOf(context, {
    "/": ["text/html", '<!doctype html><script type="module" src="page.js"></script>'],
    "/page.js": ["text/javascript", bundle.outputFiles[0]?.text ?? ""],
    "/guest.wasm": ["application/wasm", await readFile("build/example-guest.wasm")],
  });
  const expected = { got: 1000, inflated: 2000, deflated: 0, wrongWords: 0, verdicts: 0 };
  expect(title).toBe(`done ${JSON.stringify(expected)}`);
});
