/**
 * Checks whether this machine has what sessions need, by trying it: it compiles a function and
 * boots a guest on each emulator. It installs nothing, and builds no image.
 */
import { constants, existsSync } from "node:fs";
import { access, readdir, readFile, stat } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { FailureError } from "../failure.ts";
import { archivePath, imageName, readArchive } from "../image/archive.ts";
import { type Architecture, tryCompiler } from "../image/compiler.ts";
import { dependencyVersion, installAdvice, isCheckout, packageFolder } from "../package.ts";
import { formatBytes } from "../text/units.ts";
import { qemuVersion } from "../vmm/qemu/qemu.ts";
import { triedVfioUserQemu } from "../vmm/qemu/vfio-user-qemu.ts";
import { failureOf } from "./failure-of.ts";
import type { SessionOptions } from "./plan.ts";
import { runSession } from "./session.ts";

/**
 * - `here`: found.
 * - `missing`: not found, and needed by every session.
 * - `optional`: not found, and needed only for what `purpose` says.
 */
export type CheckState = "here" | "missing" | "optional";

/** One thing that was looked for. */
export interface Check {
  readonly name: string;
  /** What it is needed for. */
  readonly purpose: string;
  readonly state: CheckState;
  /** What was found, or seen instead. */
  readonly seen: string;
  /** What to do about it; empty when it is here. */
  readonly todo: string;
}

/** Plain values, and what `ballonet doctor --json` prints. */
export interface Diagnosis {
  readonly type: "diagnosis";
  readonly findings: readonly Check[];
  /** True when nothing that every session needs is missing. */
  readonly ready: boolean;
}

/** The first version that has everything we use; util.styleText came last. */
const NODE_LEAST = [20, 12] as const;
const ARCHITECTURES: readonly Architecture[] = ["i386", "x86_64"];
/** The packages that building an image cannot do without. */
const BUILD_PACKAGES = ["wabt", "@jitl/quickjs-ng-wasmfile-release-sync", "esbuild"] as const;
/** A guest is ready after a second; a busy machine may need more. */
const BOOT_MS = 15_000;

/** How to look for one thing. */
interface Probe {
  readonly name: string;
  readonly purpose: string;
  readonly ifMissing: "missing" | "optional";
  readonly todo: string;
  /** Resolves to what is there. Resolves to undefined, or rejects, when it is missing. */
  readonly find: () => Promise<string | undefined>;
}

/** What `diagnose` is given. */
export interface DiagnoseOptions {
  /** QEMU's program: a path, or a name to look up in PATH. Default: qemu-system-ARCH. */
  readonly qemu?: string | undefined;
  /** Ends the trials. */
  readonly signal?: AbortSignal;
}

/**
 * Tries everything that building images and booting guests can need, all at once; some seconds on
 * an idle machine. What is missing is in the result.
 * @throws the reason of `signal` when it aborts.
 */
export async function diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
  const findings = await Promise.all(probes(options).map(check));
  options.signal?.throwIfAborted();
  return { type: "diagnosis", findings, ready: findings.every(({ state }) => state !== "missing") };
}

async function check({ name, purpose, ifMissing, todo, find }: Probe): Promise<Check> {
  try {
    const seen = await find();
    if (seen !== undefined) return { name, purpose, state: "here", seen, todo: "" };
    return { name, purpose, state: ifMissing, seen: "not found", todo };
  } catch (error) {
    const failure = failureOf(error);
    const seen = failure?.seen ?? (error instanceof Error ? error.message : String(error));
    return { name, purpose, state: ifMissing, seen, todo: failure?.todo ?? todo };
  }
}

function probes({ qemu, signal }: DiagnoseOptions): Probe[] {
  const root = packageFolder();
  // An installed package brings its images.
  const ifMissing = isCheckout() ? "missing" : "optional";
  const cancel = signal === undefined ? {} : { signal };
  const binary = qemu === undefined ? {} : { binary: qemu };
  return [
    {
      name: "node",
      purpose: "everything",
      ifMissing: "missing",
      todo: `install Node.js ${NODE_LEAST.join(".")} or newer`,
      find: async () => (isNewEnough(process.versions.node) ? process.version : undefined),
    },
    ...ARCHITECTURES.map(
      (arch): Probe => ({
        name: `C compiler for ${arch}`,
        purpose: "building images",
        ifMissing,
        todo: "install gcc or clang",
        find: async () => (await tryCompiler({ arch, ...cancel })).version,
      }),
    ),
    v86Probe(cancel),
    ...BUILD_PACKAGES.map(
      (name): Probe => ({
        name: `package ${name}`,
        purpose: "building images",
        ifMissing,
        todo: installAdvice(name),
        find: async () => dependencyVersion(name),
      }),
    ),
    {
      name: "core.wasm",
      purpose: "building images",
      ifMissing: "missing",
      todo: "run `npm run build:core`",
      find: () => findCore(join(root, "build/core.wasm")),
    },
    ...ARCHITECTURES.map((arch) => imageProbe(root, arch)),
    ...ARCHITECTURES.map(
      (arch): Probe => ({
        name: `qemu-system-${arch}`,
        purpose: `boot --on qemu --arch ${arch}`,
        ifMissing: "optional",
        todo: "install it (Debian and Ubuntu: apt-get install qemu-system-x86)",
        find: async () => {
          const { path, version } = await qemuVersion({ arch, ...binary, ...cancel });
          const booted = await tryBoot({ on: "qemu", arch, qemu: path, ...cancel });
          return `${version}, ${path}, ${booted}`;
        },
      }),
    ),
    ...(isCheckout() ? [testsQemuProbe(root, cancel)] : []),
    ...judgeProbes({ root, signal }),
  ];
}

function testsQemuProbe(root: string, cancel: { signal?: AbortSignal }): Probe {
  return {
    name: "QEMU 10",
    purpose: "the tests of devices with MSI-X, beside an older qemu-system-x86_64",
    ifMissing: "optional",
    todo: "run `npm run setup`",
    find: () => findNewerQemu({ folder: join(root, "build/qemu-10"), cancel }),
  };
}

/** What `ballonet judge` needs besides, where it judges what runs in an emulator. */
function judgeProbes(parts: {
  readonly root: string;
  readonly signal: AbortSignal | undefined;
}): Probe[] {
  const { root, signal } = parts;
  return [
    {
      name: "QEMU with vfio-user",
      purpose: "judge --kernel",
      ifMissing: "optional",
      todo: "name QEMU 10.1 or newer with --qemu",
      find: async () => {
        const { path, version } = await triedVfioUserQemu({ signal });
        return `${version}, ${path}`;
      },
    },
    {
      name: "kernels",
      purpose: "judge --kernel, and its tests",
      ifMissing: "optional",
      todo: "name any bzImage with --kernel",
      find: () => findKernels(root),
    },
  ];
}

/** The kernels that the setup fetched, and this system's own, as far as it can be read. */
async function findKernels(root: string): Promise<string | undefined> {
  const folder = join(root, "build/kernels");
  const names = await readdir(folder).catch(() => []);
  const fetched = names.filter((name) => existsSync(join(folder, name, "vmlinuz"))).sort();
  const own = `/boot/vmlinuz-${release()}`;
  const isOwn = await access(own, constants.R_OK).then(
    () => true,
    () => false,
  );
  const found = [
    ...(fetched.length > 0 ? [`${fetched.join(", ")} in ${folder}`] : []),
    ...(isOwn ? [own] : []),
  ];
  return found.length === 0 ? undefined : found.join("; ");
}

function v86Probe(cancel: { signal?: AbortSignal }): Probe {
  return {
    name: "package v86",
    purpose: "boot --on v86",
    ifMissing: "missing",
    todo: installAdvice("v86"),
    find: async () => {
      const version = dependencyVersion("v86");
      return version && `${version}, ${await tryBoot({ on: "v86", arch: "i386", ...cancel })}`;
    },
  };
}

/** Reads what the setup left in the folder: a program that starts QEMU, or why there is none. */
async function findNewerQemu(options: {
  folder: string;
  cancel: { signal?: AbortSignal };
}): Promise<string | undefined> {
  const { folder, cancel } = options;
  const reason = await readFile(join(folder, "unavailable"), "utf8").catch(() => undefined);
  if (reason !== undefined) throw new Error(`not available: ${reason.trim()}`);
  const binary = join(folder, "qemu-system-x86_64");
  if (!(await stat(binary).catch(() => undefined))) return undefined;
  const { path, version } = await qemuVersion({ arch: "x86_64", binary, ...cancel });
  return `${version}, ${path}`;
}

function imageProbe(root: string, arch: Architecture): Probe {
  return {
    name: `image ${arch}`,
    purpose: `boot --arch ${arch}`,
    ifMissing: "optional",
    todo: `nothing: the first boot builds it (now: \`ballonet image --arch ${arch}\`)`,
    find: async () => {
      const archive = archivePath();
      if (archive !== undefined) {
        const contents = (await readArchive(archive)).files.get(imageName(arch));
        return contents && `${formatBytes(contents.length)}, in ${archive}`;
      }
      const path = builtImage(root, arch);
      const found = await stat(path).catch(() => undefined);
      return found && `${formatBytes(found.size)}, ${path}`;
    },
  };
}

function builtImage(root: string, arch: Architecture): string {
  return join(root, "build", "images", imageName(arch));
}

/** Boots a guest and ends it. Rejects with FailureError; resolves to what was seen. */
async function tryBoot(options: SessionOptions & { arch: Architecture }): Promise<string> {
  // In a checkout a session would build the image first.
  const image = isCheckout() ? builtImage(packageFolder(), options.arch) : undefined;
  if (image !== undefined && !existsSync(image)) return "not tried, as there is no image yet";
  const limits = { targets: [], workloadBytes: 0, timeoutMs: BOOT_MS };
  for await (const event of runSession({ ...options, ...limits, image })) {
    if (event.type === "failed") throw new FailureError(event);
    if (event.type === "ready") return `a guest was ready after ${Math.round(event.ms)} ms`;
  }
  return "not tried";
}

async function findCore(path: string): Promise<string | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  if (!WebAssembly.validate(bytes)) throw new Error(`${path} is not a WebAssembly module`);
  return `${formatBytes(bytes.length)}, ${path}`;
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > NODE_LEAST[0] || (major === NODE_LEAST[0] && minor >= NODE_LEAST[1]);
}
