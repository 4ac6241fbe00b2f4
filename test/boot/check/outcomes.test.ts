/** `ballonet check` and a QEMU that goes wrong: each is an outcome, with exit code 1, in time. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { JudgeReport } from "../../../src/judge/index.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { run } from "../support/cli-program.ts";

const TIMEOUT_S = 6;
/** A machine that does not end when it is told to is left alone after 5 s; and one for the timers. */
const MOST_MS = 1_000 * (TIMEOUT_S + 5 + 1);
const LIMIT = { timeout: 120_000 };

const CASES = {
  "fails at its launch": ["echo no such machine >&2; exit 3", /does not start.*no such machine/],
  "never answers": ["exec sleep 60", /did not end within 6000 ms/],
  "dies amid the checks": ['(sleep 1.2; kill -SEGV $$) & exec "$QEMU" "$@"', /SIGSEGV/],
  "hangs amid the checks": ['(sleep 1.2; kill -STOP $$) & exec "$QEMU" "$@"', /did not end within/],
  "floods its serial port": [
    '(sleep 0.5; exec timeout 20 yes a flood >&5) & exec "$QEMU" "$@"',
    /it floods its serial port/,
  ],
} as const;

test.concurrent.for(Object.entries(CASES))(
  "a QEMU that %s",
  LIMIT,
  async ([, [does, seen]], context) => {
    const qemu = toolOrSkip(context, findOnPath("qemu-system-x86_64"), "qemu-system-x86_64");
    const folder = await mkdtemp(join(tmpdir(), "check-outcomes-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const script = join(folder, "qemu");
    const version = '[ "$1" = --version ] && exec "$QEMU" --version';
    await writeFile(script, `#!/bin/sh\nQEMU=${qemu}\n${version}\n${does}\n`);
    await chmod(script, 0o755);
    const args = ["check", "--on=qemu", `--qemu=${script}`, `--timeout=${TIMEOUT_S}s`];
    const { code, stdout } = await run([...args, "--report=json"]);
    const { passed, results } = JSON.parse(stdout) as JudgeReport;
    const last = results.at(-1);
    expect(last).toMatchObject({ scenario: "ENDS", outcome: "crashed", passed: false });
    expect(last?.note).toMatch(seen);
    expect(last?.tookMs).toBeLessThan(MOST_MS);
    expect([passed, code]).toEqual([false, 1]);
  },
);
