/**
 * Finds every process that a test started, directly or not, wherever it went since. A mark in the
 * environment is inherited by all descendants, also by those whose parents are gone.
 *
 * Linux only: it reads /proc. A process counts until the kernel has forgotten it or it is a zombie.
 */

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { onTestFinished } from "vitest";

const NAME = "BALLONET_TEST_MARK";

/**
 * Marks the processes of one test: `env` is to be put into the environment of each program,
 * `survivors` lists who still carries it.
 */
export function processTree() {
  const value = randomUUID();
  onTestFinished(async () => {
    // Only a test that failed leaves any.
    for (const line of await carriers(`${NAME}=${value}`)) kill(Number.parseInt(line, 10));
  });
  return { env: { [NAME]: value }, survivors: () => carriers(`${NAME}=${value}`) };
}

/** The program's path, as a shell would find it. */
export function findOnPath(program: string): string | undefined {
  const directories = (process.env.PATH ?? "").split(delimiter);
  return directories.map((directory) => join(directory, program)).find(existsSync);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

async function carriers(mark: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    // A zombie's environment is empty, and another user's cannot be read.
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.split("\0").includes(mark)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    found.push(`${pid} ${command.replaceAll("\0", " ").slice(0, 80)}`);
  }
  return found;
}
