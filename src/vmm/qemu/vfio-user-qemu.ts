/** Finds a QEMU in which another process can serve a device, by vfio-user. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { isCheckout, packageFolder } from "../../package.ts";
import { VmmError } from "../errors.ts";
import { qemuVersion } from "./qemu.ts";

/** The first version that has vfio-user-pci. */
const SINCE = [10, 1] as const;
/** What the setup of a checkout fetches. */
const FETCHED = "build/qemu-11/qemu-system-x86_64";
const HELP_MS = 20_000;

/**
 * Returns the program's path and the first line of its version. `binary` is a path or a name;
 * without it, it is what the setup fetched, or else the one in PATH. Starts no machine.
 *
 * @throws VmmError `qemu-not-found` when there is none, or when it is too old; the signal's reason.
 */
export async function vfioUserQemu(options: {
  readonly binary?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<{ path: string; version: string }> {
  const { signal } = options;
  const fetched = join(packageFolder(), FETCHED);
  const binary = options.binary ?? (existsSync(fetched) ? fetched : undefined);
  const found = await qemuVersion({
    arch: "x86_64",
    ...(binary !== undefined && { binary }),
    ...(signal && { signal }),
  });
  const [, major = 0, minor = 0] = (/version (\d+)\.(\d+)/.exec(found.version) ?? []).map(Number);
  if (major < SINCE[0] || (major === SINCE[0] && minor < SINCE[1])) {
    throw tooOld(`${found.path}, which is ${major}.${minor}`);
  }
  return found;
}

/**
 * Returns the same, once the program has told that it has the device: a distribution may have left
 * it out.
 *
 * @throws VmmError as `vfioUserQemu`.
 */
export async function triedVfioUserQemu(options: Parameters<typeof vfioUserQemu>[0]) {
  const { signal } = options;
  const found = await vfioUserQemu(options);
  const limits = { timeout: HELP_MS, ...(signal ? { signal } : {}) };
  const args = ["-device", "vfio-user-pci,help"];
  const help = await promisify(execFile)(found.path, args, limits).catch(() => undefined);
  signal?.throwIfAborted();
  if (help?.stdout.includes("socket")) return found;
  throw tooOld(`${found.path} without the device vfio-user-pci`);
}

function tooOld(seen: string): VmmError {
  return new VmmError({
    code: "qemu-not-found",
    what: `QEMU ${SINCE.join(".")} or newer`,
    seen,
    todo: isCheckout()
      ? "run `npm run setup` in ballonet's folder, which fetches one, or name one with --qemu"
      : "name a newer one with --qemu, or judge a kernel for i386 with --on v86",
  });
}
