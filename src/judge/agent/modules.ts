/** The modules of a kernel that a virtio balloon on PCI needs, in the order in which they load. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { FailureError } from "../../failure.ts";
import type { KernelModule } from "./initramfs.ts";

/** What is loaded, where it is a module: the transport, and the driver. */
const WANTED = ["virtio_pci", "virtio_balloon"];
const DRIVER = "virtio_balloon";

/** A module may be packed; a kernel's own tools unpack it, so ours does. */
const ENDING = /\.ko(\.xz|\.zst|\.gz)?$/;
const MODULE_BYTES_MAX = 64 * 2 ** 20;

/**
 * Returns the folder of a kernel's modules: beside it, or where a system keeps them; the system's
 * root may be a folder, as of a package that was unpacked.
 */
export function modulesFolder(kernel: {
  readonly path: string;
  readonly version: string;
}): string | undefined {
  const beside = dirname(resolve(kernel.path));
  const installed = join("lib/modules", kernel.version);
  const usual = [join(beside, "modules"), join(beside, "..", installed), join("/", installed)];
  return usual.find((folder) => existsSync(folder));
}

/**
 * Returns the balloon's modules in a folder, and those that they need, in the order in which they
 * load. What is not there is taken to be built into the kernel.
 *
 * @throws FailureError `missing` when the driver is not there, or a module cannot be unpacked.
 */
export async function readModules(folder: string): Promise<readonly KernelModule[]> {
  const files = await moduleFiles(folder);
  if (!files.has(DRIVER)) {
    throw missing(`modules in ${folder}`, `no ${DRIVER} among ${files.size}`);
  }
  const modules: KernelModule[] = [];
  const load = async (name: string): Promise<void> => {
    const path = files.get(name);
    if (path === undefined) return;
    files.delete(name);
    const bytes = await unpacked(path);
    for (const needed of dependencies(bytes)) await load(needed);
    modules.push({ name, bytes });
  };
  for (const name of WANTED) await load(name);
  return modules;
}

async function moduleFiles(folder: string): Promise<Map<string, string>> {
  try {
    const entries = await readdir(folder, { recursive: true });
    const files = entries.filter((entry) => ENDING.test(entry));
    return new Map(
      files.map((file) => [
        basename(file).replace(ENDING, "").replaceAll("-", "_"),
        join(folder, file),
      ]),
    );
  } catch (error) {
    throw missing(`modules in ${folder}`, error instanceof Error ? error.message : String(error));
  }
}

/** The names in the text `depends=a,b` of a module's section .modinfo. */
function dependencies(module: Uint8Array): readonly string[] {
  const text = Buffer.from(module).toString("latin1");
  const names = /\0depends=([\w,-]*)\0/.exec(text)?.[1] ?? "";
  return names
    .split(",")
    .filter((name) => name !== "")
    .map((name) => name.replaceAll("-", "_"));
}

async function unpacked(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path);
  if (path.endsWith(".gz")) return gunzipSync(bytes, { maxOutputLength: MODULE_BYTES_MAX });
  if (path.endsWith(".ko")) return bytes;
  const tool = path.endsWith(".xz") ? "xz" : "zstd";
  try {
    const options = { encoding: "buffer", maxBuffer: MODULE_BYTES_MAX } as const;
    return (await promisify(execFile)(tool, ["-dc", path], options)).stdout;
  } catch (error) {
    const seen = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw missing(`module ${basename(path)}`, seen, `install ${tool}`);
  }
}

function missing(what: string, seen: string, todo?: string): FailureError {
  return new FailureError({
    kind: "missing",
    what,
    seen,
    todo: todo ?? "give the folder of this kernel's modules with --modules",
  });
}
