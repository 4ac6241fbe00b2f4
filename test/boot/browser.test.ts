/**
 * The embed API in a real browser: the same VM, machine and guest program, inside a page.
 *
 * Invariant: traffic stays on loopback, and the browser's profile is a temporary one.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { toolOrSkip } from "../support/tools.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => existsSync(path),
);

async function pageFiles(): Promise<Record<string, [type: string, body: Uint8Array | string]>> {
  const bundle = await build({
    entryPoints: ["test/browser/page.ts"],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
  });
  const script = bundle.outputFiles[0]?.text ?? "";
  return {
    "/": ["text/html", '<!doctype html><script type="module" src="page.js"></script>'],
    "/page.js": ["text/javascript", script],
    "/guest.wasm": ["application/wasm", await readFile("build/example-guest.wasm")],
  };
}

it("inflates and deflates inside a page", async (context) => {
  const chromium = toolOrSkip(context, CHROMIUM, "chromium");
  const files = await pageFiles();
  const server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ""] ?? ["text/plain", undefined];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const profile = await mkdtemp(join(tmpdir(), "ballonet-browser-"));
  try {
    const { port } = server.address() as AddressInfo;
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--user-data-dir=${profile}`,
      "--virtual-time-budget=20000",
      "--dump-dom",
    ];
    const url = `http://127.0.0.1:${port}/`;
    const { stdout } = await promisify(execFile)(chromium, [...flags, url], { timeout: 60_000 });
    const title = /<title>(.*?)<\/title>/.exec(stdout)?.[1]?.replaceAll("&quot;", '"');
    const expected = { got: 1000, inflated: 2000, deflated: 0, wrongWords: 0, verdicts: 0 };
    expect(title).toBe(`done ${JSON.stringify(expected)}`);
  } finally {
    server.close();
    await rm(profile, { recursive: true, force: true });
  }
});
