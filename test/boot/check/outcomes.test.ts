/** `ballonet check` and a VMM that goes wrong: each is an outcome, with exit code 1, in time. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkDevice, qemuHost } from "../../../src/check/index.ts";
import { provideCheckImage } from "../../../src/image/index.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { run } from "../support/cli-program.ts";

const TIMEOUT_MS = 5_000;
/** A machine that does not end when it is told to is left alone after 5 s; and one for the timers. */
const MOST_MS = TIMEOUT_MS + 6_000;
const LIMIT = { timeout: 120_000 };

const CASES = {
  "fails at its launch": ["echo no such machine >&2; exit 3", /does not start.*no such machine/],
  "never answers": ["exec sleep 60", /did not end within 5000 ms/],
  "dies amid the checks": ['(sleep 1.2; kill -SEGV $$) & exec "$QEMU" "$@"', /SIGSEGV/],
  "hangs amid the checks": ['(sleep 1.2; kill -STOP $$) & exec "$QEMU" "$@"', /did not end within/],
  "floods its serial port": [
    '(sleep 0.5; exec timeout 20 yes a flood >&5) & exec "$QEMU" "$@"',
    /it floods its serial port/,
  ],
} as const;

/** A program that goes wrong in such a way. */
async function script(folder: string, name: string, qemu: string, does: string): Promise<string> {
  const path = join(folder, name.replaceAll(" ", "-"));
  const version = '[ "$1" = --version ] && exec "$QEMU" --version';
  await writeFile(path, `#!/bin/sh\nQEMU=${qemu}\n${version}\n${does}\n`);
  await chmod(path, 0o755);
  return path;
}

test("a QEMU that goes wrong is an outcome, in time", LIMIT, async (context) => {
  const qemu = toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
  const folder = await mkdtemp(join(tmpdir(), "check-outcomes-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { path: image } = await provideCheckImage({ arch: "x86_64" });
  const ends = Object.entries(CASES).map(async ([name, [does, seen]]) => {
    const host = await qemuHost({ binary: await script(folder, name, qemu, does) });
    const { passed, results } = await checkDevice({ host, image, timeoutMs: TIMEOUT_MS });
    const last = results.at(-1);
    expect([name, last?.note]).toEqual([name, expect.stringMatching(seen)]);
    expect(last).toMatchObject({ scenario: "ENDS", outcome: "crashed", passed: false });
    expect(last?.tookMs).toBeLessThan(MOST_MS);
    expect(passed).toBe(false);
  });
  await Promise.all(ends);
});

test("the program ends with 1 for a QEMU that does not start", LIMIT, async (context) => {
  const qemu = toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
  const folder = await mkdtemp(join(tmpdir(), "check-outcomes-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [does, seen] = CASES["fails at its launch"];
  const path = await script(folder, "qemu", qemu, does);
  const { code, stdout } = await run(["check", "--on=qemu", `--qemu=${path}`]);
  expect(stdout.replaceAll(/\s+/g, " ")).toMatch(seen);
  expect(code).toBe(1);
});

test("the program ends with 1, in time, for a v86 that comes to no end", LIMIT, async () => {
  const hang = `import { isMainThread } from "node:worker_threads";
    if (!isMainThread) setTimeout(() => { for (;;); }, 2000);`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hang)}`;
  const args = ["check", "--on=v86", `--timeout=${TIMEOUT_MS / 1_000}s`];
  const { code, stdout } = await run(args, { NODE_OPTIONS });
  expect(stdout.replaceAll(/\s+/g, " ")).toMatch(/ENDS crashed \(it did not end within 5000 ms/);
  expect(code).toBe(1);
});
