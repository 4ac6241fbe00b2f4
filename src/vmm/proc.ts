/** What Linux tells of a process in /proc. */
import { readFile } from "node:fs/promises";

/** Returns a file of /proc; undefined outside of Linux, or when the process has ended. */
export async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Rss of /proc/PID/smaps_rollup in bytes; undefined where there is no such file. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const text = await readProc(`/proc/${pid}/smaps_rollup`);
  const kibibytes = text === undefined ? undefined : /^Rss:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
