/**
 * What is here for booting guests, what is missing, and how to get it.
 *
 * It changes nothing, installs nothing and boots nothing. Invariant: every finding that is missing
 * says what to do, and looking at one thing never fails because of another.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Architecture, findCompiler } from "../image/compiler.ts";
import { dependencyVersion, packageFolder } from "../package.ts";
import { formatBytes } from "../text/units.ts";
import { qemuVersion } from "../vmm/qemu/qemu.ts";
import { failureOf } from "./failure-of.ts";

/**
 * - `here`: found.
 * - `missing`: not found, and needed by every session.
 * - `optional`: not found, and needed only for what `purpose` says.
 */
export type FindingState = "here" | "missing" | "optional";

export interface Finding {
  readonly name: string;
  readonly purpose: string;
  readonly state: FindingState;
  /** What was found, or seen instead. */
  readonly seen: string;
  /** What to do about it; empty when it is here. */
  readonly todo: string;
}

export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** True when nothing that every session needs is missing. */
  readonly ready: boolean;
}

/** The first version with all that is used: util.styleText came last. */
const NODE_LEAST = [20, 12] as const;
const ARCHITECTURES: readonly Architecture[] = ["i386", "x86_64"];
/** The packages that building and booting an image cannot do without, and what each is for. */
const DEPENDENCIES = [
  { name: "v86", purpose: "boot --on v86" },
  { name: "wabt", purpose: "building images" },
  { name: "@jitl/quickjs-ng-wasmfile-release-sync", purpose: "building images" },
  { name: "esbuild", purpose: "building images" },
  { name: "lossless-json", purpose: "talking to guests" },
] as const;

interface Look {
  readonly name: string;
  readonly purpose: string;
  readonly ifMissing: "missing" | "optional";
  readonly todo: string;
  /** What is there; undefined, or a rejection with a reason of this package, when it is missing. */
  readonly find: () => Promise<string | undefined>;
}

/** Looks at everything there is to look at. */
export async function diagnose(options: { signal?: AbortSignal } = {}): Promise<Diagnosis> {
  const findings = await Promise.all(looks(options).map(look));
  options.signal?.throwIfAborted();
  return { findings, ready: findings.every(({ state }) => state !== "missing") };
}

async function look({ name, purpose, ifMissing, todo, find }: Look): Promise<Finding> {
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

function looks({ signal }: { signal?: AbortSignal }): Look[] {
  const root = packageFolder();
  const patience = signal === undefined ? {} : { signal };
  return [
    {
      name: "node",
      purpose: "everything",
      ifMissing: "missing",
      todo: `install Node.js ${NODE_LEAST.join(".")} or newer`,
      find: async () => (isNewEnough(process.versions.node) ? process.version : undefined),
    },
    ...ARCHITECTURES.map(
      (arch): Look => ({
        name: `C compiler for ${arch}`,
        purpose: "building images",
        ifMissing: "missing",
        todo: "install gcc or clang",
        find: async () => (await findCompiler({ arch, ...patience })).version,
      }),
    ),
    ...DEPENDENCIES.map(
      ({ name, purpose }): Look => ({
        name: `package ${name}`,
        purpose,
        ifMissing: "missing",
        todo: "run `npm ci` in the package's folder",
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
    ...ARCHITECTURES.map((arch) => imageLook(root, arch)),
    ...ARCHITECTURES.map(
      (arch): Look => ({
        name: `qemu-system-${arch}`,
        purpose: `boot --on qemu --arch ${arch}`,
        ifMissing: "optional",
        todo: "install it (Debian and Ubuntu: apt-get install qemu-system-x86)",
        find: async () => {
          const { path, version } = await qemuVersion({ arch, ...patience });
          return `${version}, ${path}`;
        },
      }),
    ),
    {
      name: "QEMU 10",
      purpose: "the tests of devices with MSI-X, beside an older qemu-system-x86_64",
      ifMissing: "optional",
      todo: "run `npm run setup` in a checkout",
      find: () => findNewerQemu({ folder: join(root, "build/qemu-10"), patience }),
    },
  ];
}

/** What the setup has left there: programs to start it with, or the reason why there are none. */
async function findNewerQemu(options: {
  folder: string;
  patience: { signal?: AbortSignal };
}): Promise<string | undefined> {
  const { folder, patience } = options;
  const reason = await readFile(join(folder, "unavailable"), "utf8").catch(() => undefined);
  if (reason !== undefined) throw new Error(`not to be had: ${reason.trim()}`);
  const binary = join(folder, "qemu-system-x86_64");
  if (!(await stat(binary).catch(() => undefined))) return undefined;
  const { path, version } = await qemuVersion({ arch: "x86_64", binary, ...patience });
  return `${version}, ${path}`;
}

function imageLook(root: string, arch: Architecture): Look {
  return {
    name: `image ${arch}`,
    purpose: `boot --arch ${arch}`,
    ifMissing: "optional",
    todo: `nothing: the first boot builds it (now: \`ballonet image --arch ${arch}\`)`,
    find: async () => {
      const path = join(root, `build/images/ballonet-${arch}.elf`);
      const found = await stat(path).catch(() => undefined);
      return found && `${formatBytes(found.size)}, ${path}`;
    },
  };
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
