/**
 * A page in a real browser: files served on loopback, a headless Chromium, and the title that the
 * page ends with or what it posts.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
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

/** The browser, where there is one. */
export const CHROMIUM = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => existsSync(path));
export const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** For pages that only wait for timers: their time goes as fast as they do. */
const VIRTUAL_TIME = ["--virtual-time-budget=20000", "--dump-dom"];

/** Where a page posts what it has to tell. */
const TOLD = "/told";

/** Opens "/" of `files` in Chromium, and returns the title that the page has given itself. */
export function titleOf(context: TestContext, files: PageFiles): Promise<string | undefined> {
  return serving(context, files, async ({ chromium, args }) => {
    const all = [...VIRTUAL_TIME, ...args];
    const { stdout } = await promisify(execFile)(chromium, all, { timeout: 60_000 });
    return /<title>(.*?)<\/title>/.exec(stdout)?.[1]?.replaceAll("&quot;", '"');
  });
}

/** Opens "/" of `files` in Chromium, where real time passes; returns what the page posts to /told. */
export function toldBy(context: TestContext, files: PageFiles): Promise<string> {
  return serving(context, files, async ({ chromium, args, told }) => {
    const child = spawn(chromium, args, { stdio: "ignore" });
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    try {
      return await Promise.race([told, closed.then(() => "nothing: the browser has ended")]);
    } finally {
      child.kill();
      await closed;
    }
  });
}

interface Served {
  readonly chromium: string;
  readonly args: readonly string[];
  readonly told: Promise<string>;
}

async function serving<T>(
  context: TestContext,
  files: PageFiles,
  open: (served: Served) => Promise<T>,
): Promise<T> {
  const chromium = toolOrSkip(context, CHROMIUM, "chromium");
  let tell: (text: string) => void = () => {};
  const told = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ""] ?? ["text/plain", undefined];
    const isTold = request.url === TOLD;
    if (isTold) void textOf(request).then(tell);
    const status = body === undefined && !isTold ? 404 : 200;
    response.writeHead(status, { "content-type": type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const profile = await mkdtemp(join(tmpdir(), "ballonet-browser-"));
  try {
    const { port } = server.address() as AddressInfo;
    const args = [...FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`];
    return await open({ chromium, args, told });
  } finally {
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request) text += part;
  return text;
}
