/**
 * The program `ballonet` as a process, for tests: run, interrupted, judged.
 *
 * No process that was started here outlives its test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import type { SessionEvent } from "../../../src/session/events.ts";
import { processTree } from "../../support/process-tree.ts";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const PROGRAM = join(ROOT, "dist/src/cli/main.js");
/** Generous, because the machine may be busy with other tests. */
export const BUILD_MS = 300_000;
export const SOON = { timeout: 10_000, interval: 20 };

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program in a process of its own, which is killed when the test ends. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (bytes: Buffer) => {
    stdout += bytes.toString();
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended, printed: () => stdout, complained: () => stderr };
}

export async function run(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  return start(args, env).ended;
}

export async function session(
  ...args: string[]
): Promise<{ code: number | null; events: SessionEvent[]; stderr: string }> {
  const { code, stdout, stderr } = await run(["boot", "--json", ...args]);
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line): SessionEvent => JSON.parse(line));
  return { code, events, stderr };
}

export function ofType<T extends SessionEvent["type"]>(events: readonly SessionEvent[], type: T) {
  return events.filter((event): event is SessionEvent & { type: T } => event.type === type);
}

/** Builds these images, where they are older than their sources. */
export async function buildImages(of: readonly string[] = ["i386", "x86_64"]): Promise<void> {
  for (const arch of of) {
    const out = join(ROOT, `build/images/ballonet-${arch}.elf`);
    const args = ["image", "--quiet", "--arch", arch, "--out", out];
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  }
}

/** What every good session must show, whatever the machine. */
export function checkGood(parts: {
  events: readonly SessionEvent[];
  targets: readonly number[];
  memoryPages: number;
}): void {
  const { events, targets, memoryPages } = parts;
  const [ready] = ofType(events, "ready");
  expect(ready).toMatchObject({ hostAgrees: true, memoryPages });
  expect(ready?.negotiated).toContain("STATS_VQ");
  expect(ready?.offered).toEqual(expect.arrayContaining([...(ready?.negotiated ?? [])]));

  const reached = ofType(events, "reached");
  expect(reached.map(({ pages }) => pages)).toEqual(targets);
  for (const { heldPages, pages, kicks, movedPages } of reached) {
    expect(heldPages).toBe(pages);
    expect(kicks > 0).toBe(movedPages > 0);
  }
  const [allocated] = ofType(events, "allocated");
  const bytes = (allocated?.pages ?? 0) * 4096;
  expect(bytes).toBeGreaterThan(0);
  const verified = ofType(events, "verified");
  expect(verified).toHaveLength(targets.length);
  for (const one of verified) expect(one).toMatchObject({ bytes, mismatches: 0 });

  const statistics = ofType(events, "statistics");
  expect(statistics).toHaveLength(targets.length);
  statistics.forEach(({ values }, index) => {
    const left = (memoryPages - (targets[index] ?? 0)) * 4096;
    const total = Number(values.totalMemory);
    expect(total).toBeLessThanOrEqual(left);
    // The kernel and its engine are not counted; they take some megabytes.
    expect(total).toBeGreaterThan(left - 16 * 2 ** 20);
    expect(Number(values.freeMemory)).toBeLessThanOrEqual(total - bytes);
  });

  expect(ofType(events, "freed")).toMatchObject([{ pages: allocated?.pages }]);
  expect(events.at(-1)).toMatchObject({
    type: "summary",
    targets: targets.length,
    mismatches: 0,
    verifiedBytes: bytes * targets.length,
  });
}

/**
 * Interrupts a session in the middle of its work: it must end with this exit code, say so, and
 * leave nothing. `isRunning` says whether what has to end with it is there.
 */
export async function interrupted(parts: {
  readonly args: readonly string[];
  readonly signal: "SIGINT" | "SIGTERM";
  readonly exitCode: number;
  isRunning?(processes: string): boolean;
}): Promise<void> {
  const { args, signal, exitCode, isRunning = () => true } = parts;
  const folder = await mkdtemp(join(tmpdir(), "cli-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { env, survivors } = processTree();
  // Paced, the balloon is on its way for seconds.
  const { child, ended, printed } = start(
    ["boot", "--json", "--memory", "1G", "--policy", "gentle", ...args],
    { ...env, TMPDIR: folder },
  );
  await expect.poll(printed, { timeout: 60_000, interval: 20 }).toMatch(/"type":"progress"/);
  expect(isRunning((await survivors()).join())).toBe(true);
  child.kill(signal);
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(exitCode);
  expect(stderr).toContain(signal);
  const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  expect(last).toEqual({ type: "interrupted", signal, exitCode });
  expect(stdout).not.toContain('"type":"summary"');
  await expect.poll(survivors, SOON).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
}

/** The signals that interrupt a session, and the exit codes that say so. */
export const INTERRUPTIONS = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const;
