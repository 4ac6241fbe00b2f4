/** The doctor and programs that never answer: each is given up in its time, and said to be. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { diagnose } from "../../../src/session/doctor.ts";
import { triedVfioUserQemu } from "../../../src/vmm/qemu/vfio-user-qemu.ts";

const BOOT_MS = 15_000;
const HELP_MS = 20_000;
/** A timer is never early; a busy machine is late. */
const EARLY_MS = 50;
const LATE_MS = 30_000;

/** A QEMU that says its version, and nothing besides. */
async function silentQemu(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "doctor-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "qemu");
  const version = 'echo "QEMU emulator version 11.0.0"';
  await writeFile(path, `#!/bin/sh\n[ "$1" = --version ] && ${version} && exit\nexec sleep 100\n`);
  await chmod(path, 0o755);
  return path;
}

async function tookMs(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

function expectInTime(ms: number, limitMs: number): void {
  expect(ms).toBeGreaterThan(limitMs - EARLY_MS);
  expect(ms).toBeLessThan(limitMs + LATE_MS);
}

test("a guest on trial that never comes, and a device that QEMU never describes", async () => {
  const binary = await silentQemu();
  const trial = diagnose({ qemu: binary }).then(({ findings }) => {
    const found = findings.filter(({ name }) => name.startsWith("qemu-system-"));
    expect(found).toHaveLength(2);
    for (const { state, seen } of found) {
      expect(state).toBe("optional");
      expect(seen).toBe("nothing after 15000 ms");
    }
  });
  const help = triedVfioUserQemu({ binary }).then(
    () => expect.unreachable(),
    (error: unknown) => expect(String(error)).toContain("without the device vfio-user-pci"),
  );
  const [trialMs, helpMs] = await Promise.all([tookMs(trial), tookMs(help)]);
  expectInTime(trialMs, BOOT_MS);
  expectInTime(helpMs, HELP_MS);
});
