/**
 * Runs a TypeScript file of test/boot in a Node process of its own, for tests of what a process
 * leaves behind when it ends.
 *
 * Node 20 reads no TypeScript, so the file is bundled first; packages stay outside, which is why
 * the bundle lies below the project.
 *
 * The bundle is gone when the test is.
 */

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export interface Bundled {
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves with the first line that the process prints; rejects if it ends without. */
  readonly firstLine: Promise<string>;
  readonly ended: Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
    stdout: string;
    stderr: string;
  }>;
}

/** Bundles and starts `file` with these arguments. */
export async function startBundled(options: {
  file: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
}): Promise<Bundled> {
  await mkdir(join(ROOT, "build"), { recursive: true });
  const directory = await mkdtemp(join(ROOT, "build", "boot-test-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const outfile = join(directory, "main.mjs");
  await build({
    entryPoints: [join(ROOT, "test/boot/support", options.file)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  const child = spawn(process.execPath, [outfile, ...options.args], {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  const ended = new Promise<Awaited<Bundled["ended"]>>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (bytes: Buffer) => {
      stdout += bytes.toString();
      if (stdout.includes("\n")) resolve(stdout.slice(0, stdout.indexOf("\n")));
    });
    ended.then((end) => reject(new Error(`no line from the process: ${JSON.stringify(end)}`)));
  });
  firstLine.catch(() => {}); // Not every test waits for a line.
  return { kill: (signal) => child.kill(signal), firstLine, ended };
}
