/** The judge in a page of a real browser: a guest in v86 there, on the reference device. */
import { readFile } from "node:fs/promises";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { buildImage } from "../../../src/image/build-image.ts";
import { toldBy } from "../support/chromium.ts";
import { BUILD_MS } from "../support/cli-program.ts";

/** v86 holds code for Node that no bundler for pages resolves: it stays a file of its own. */
const PAGE = `<!doctype html>
<script type="importmap">{ "imports": { "v86": "/libv86.mjs" } }</script>
<script type="module" src="page.js"></script>`;

it("leads a guest through a scenario, and finds what it breaks", {
  timeout: BUILD_MS,
  // v86 loses an interrupt at times, and the persona `linux` never polls.
  retry: 1,
}, async (context) => {
  const bundle = await build({
    entryPoints: ["test/browser/judge-page.ts"],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    external: ["v86"],
  });
  expect(bundle.warnings).toEqual([]);
  const { path } = await buildImage({ arch: "i386" });
  const told = await toldBy(context, {
    "/": ["text/html", PAGE],
    "/page.js": ["text/javascript", bundle.outputFiles[0]?.text ?? ""],
    "/libv86.mjs": ["text/javascript", await readFile("node_modules/v86/build/libv86.mjs")],
    "/v86.wasm": ["application/wasm", await readFile("node_modules/v86/build/v86.wasm")],
    "/guest.elf": ["application/octet-stream", await readFile(path)],
  });
  expect(told).toBe("done up G-NOTIFY-EARLY (MUST NOT) ");
});
