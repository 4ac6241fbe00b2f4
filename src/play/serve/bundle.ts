/** Makes the page's own files of their sources: all but v86 and the guest's image. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageFolder } from "../../package.ts";
import { loadEsbuild } from "../../peers.ts";

/**
 * What the page may load: its own files. WebAssembly is compiled; v86 starts a worker from a text
 * of its own where the browser has no `scheduler`.
 */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "worker-src blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/**
 * v86's script stays a file of its own: it holds code for Node that bundlers do not resolve. It is
 * a plain one, and makes a global name: a page that was opened from a file can load no module.
 */
export const V86_SCRIPT = "libv86.js";

const MODULE = '<script type="module"';

/** What the page takes of lib/ in an installed package: shared.ts, as `.ci/lib.js` publishes it. */
export const SHARED_SCRIPT = "lib/play-shared.js";

/**
 * Returns the files by name. `thin`: without what lib/ has already, for a server that serves it
 * from there. Needs the package esbuild, and the sources.
 */
export async function bundlePage({ thin = false } = {}): Promise<ReadonlyMap<string, Uint8Array>> {
  const { build } = await loadEsbuild();
  const folder = join(packageFolder(), "src", "play", "page");
  const { outputFiles } = await build({
    entryPoints: { page: join(folder, "main.ts"), style: join(folder, "page.css") },
    bundle: true,
    write: false,
    minify: true,
    // A module may import the other ones; a plain script is loaded from a file, too.
    format: thin ? "esm" : "iife",
    target: "es2022",
    outdir: "/",
    charset: "utf8",
    // Only what reads files asks where it lies.
    define: { "import.meta.url": "undefined" },
    logLevel: "warning",
    legalComments: "none",
    plugins: [
      {
        name: "v86",
        setup(plugins) {
          const shared = { path: `./${SHARED_SCRIPT}`, external: true };
          if (thin) plugins.onResolve({ filter: /\/shared\.ts$/ }, () => shared);
          const v86 = { path: V86_SCRIPT, namespace: "global" };
          plugins.onResolve({ filter: /^v86$/ }, () => v86);
          const contents = "export const { V86 } = globalThis;";
          plugins.onLoad({ filter: /./, namespace: "global" }, () => ({ contents }));
        },
      },
    ],
  });
  const made = (ending: string): Uint8Array => {
    const found = outputFiles.find(({ path }) => path.endsWith(ending));
    if (found === undefined) throw new Error(`esbuild made no ${ending}`);
    return found.contents;
  };
  const html = await readFile(join(folder, "index.html"), "utf8");
  const text = html.replace("CONTENT-SECURITY-POLICY", POLICY);
  return new Map([
    ["index.html", new TextEncoder().encode(thin ? text.replace("<script defer", MODULE) : text)],
    ["page.css", made("style.css")],
    ["page.js", made("page.js")],
    ["icon.svg", await readFile(join(folder, "icon.svg"))],
  ]);
}
