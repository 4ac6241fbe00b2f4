/** A page in a real browser: files served on loopback, a headless Chromium, the title it ends with. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestContext } from "vitest";
import { toolOrSkip } from "../../support/tools.ts";

/** Files of a site by their path; `type` is the content type. */
export type PageFiles = Readonly<
  Record<string, readonly [type: string, body: Uint8Array | string]>
>;

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => existsSync(path),
);
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--virtual-time-budget=20000",
  "--dump-dom",
];

/** Opens "/" of `files` in Chromium, and returns the title that the page has given itself. */
export async function titleOf(context: TestContext, files: PageFiles): Promise<string | undefined> {
  const chromium = toolOrSkip(context, CHROMIUM, "chromium");
  const server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ""] ?? ["text/plain", undefined];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const profile = await mkdtemp(join(tmpdir(), "ballonet-browser-"));
  try {
    const { port } = server.address() as AddressInfo;
    const args = [...FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`];
    const { stdout } = await promisify(execFile)(chromium, args, { timeout: 60_000 });
    return /<title>(.*?)<\/title>/.exec(stdout)?.[1]?.replaceAll("&quot;", '"');
  } finally {
    server.close();
    await rm(profile, { recursive: true, force: true });
  }
}
