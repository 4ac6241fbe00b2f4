/** Folders for the files of machines that are being launched: `ballonet-judge-PID-RANDOM`. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const NAME = /^ballonet-judge-(\d+)-/;

/**
 * Makes a folder in `parent`, whose owner is this process, and removes those that killed processes
 * left there: their owner is gone, and they are older than any launch. A process of another
 * container cannot be seen from here, but does not launch for so long.
 */
export function launchFolder(parent: string, launchMs: number): string {
  for (const name of readdirSync(parent)) {
    const owner = NAME.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    removeOlder(join(parent, name), launchMs);
  }
  return mkdtempSync(join(parent, `ballonet-judge-${process.pid}-`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function removeOlder(folder: string, ms: number): void {
  try {
    if (Date.now() - statSync(folder).mtimeMs < 2 * ms) return;
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // It is somebody else's, or another process has just removed it.
  }
}
