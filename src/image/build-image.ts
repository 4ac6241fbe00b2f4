/**
 * Makes a bootable image: core.wasm, the JavaScript engine and a guest program, in one ELF file.
 *
 * It must not know what the program does. Invariant: every step's result is stored under a digest
 * of all that went in, so the same inputs give the same image, and only what changed is done again.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleGuest } from "./bundle.ts";
import { Cache } from "./cache.ts";
import { type Architecture, type Compiler, compile, findCompiler } from "./compiler.ts";
import { readEngine } from "./engine/engine-package.ts";
import {
  coreFunctions,
  coreGlue,
  engineNames,
  MACHINE_FUNCTIONS,
  snapshotSource,
} from "./engine/glue.ts";
import { type Snapshot, takeSnapshot } from "./engine/snapshot.ts";
import { ImageError } from "./errors.ts";
import { packWords } from "./pack.ts";
import { withoutData } from "./wasm/binary.ts";
import { adaptC, wasm2c, wasm2cRecipe } from "./wasm/wasm2c.ts";

/** Files of the engine's C: enough that a machine's cores share the work. */
const ENGINE_PARTS = 4;

const SOURCES = [
  "start.c",
  "serial.c",
  "panic.c",
  "loader.c",
  "memory.c",
  "trap.c",
  "clock.c",
  "libc.c",
  "wasm-rt.c",
  "engine.c",
  "machine.c",
] as const;

const COMMON_FLAGS = [
  "-ffreestanding",
  "-fno-pic",
  "-fno-pie",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fno-strict-aliasing",
  "-fno-math-errno",
  // memset must not be compiled into a call of itself.
  "-fno-tree-loop-distribute-patterns",
  // What nothing calls is left out when linking, and padding between functions only costs room.
  "-ffunction-sections",
  "-fno-align-functions",
  "-fno-align-jumps",
  "-fno-align-loops",
  "-fno-align-labels",
  "-std=gnu11",
];

const ARCH_FLAGS: Record<Architecture, readonly string[]> = {
  // x87 arithmetic would round differently and is slower in emulators.
  i386: ["-march=pentium4", "-mtune=generic", "-mfpmath=sse", "-msse2"],
  // Interrupts come in on the same stack.
  x86_64: ["-mno-red-zone", "-mcmodel=small"],
};

/**
 * The engine is most of the image and mostly idle; the core and the kernel move the pages. Only
 * these two have line numbers in the symbol file: those of the engine would make it far larger.
 */
const CODE_FLAGS = { engine: ["-Os"], core: ["-O2", "-g"], kernel: ["-O2", "-g"] } as const;

/** Where each module's memory lies (layout.h), and how its accesses are kept inside. */
const MODULE_FLAGS: Record<"engine" | "core", Record<Architecture, readonly string[]>> = {
  engine: {
    i386: ["-DWASM_RT_BASE=0x40000000u", "-DWASM_RT_MASK=0x7fffffffu"],
    x86_64: ["-DWASM_RT_BASE=0x40000000ull"],
  },
  core: {
    i386: ["-DWASM_RT_BASE=0", "-DWASM_RT_CHECKED"],
    x86_64: ["-DWASM_RT_BASE=0xffff800000000000ull", "-DWASM_RT_CHECKED"],
  },
};

/**
 * JavaScript's stack in the engine's memory. The compiled engine uses the kernel's stack of 1 MiB
 * as well, for each byte of this one 2.6 bytes on x86_64 and 6.7 on i386 at worst (seen with
 * constructors that call themselves): with these limits a quarter of it is never reached.
 */
const SCRIPT_STACK_BYTES: Record<Architecture, number> = {
  i386: 112 * 1024,
  x86_64: 256 * 1024,
};

export interface BuildProgress {
  /** What is being done, for people: "compile the engine". */
  readonly step: string;
  /** Steps done so far, and in all. */
  readonly done: number;
  readonly of: number;
}

export interface BuildImageOptions {
  readonly arch: Architecture;
  /** The compiled core: its bytes or its path. Default: the package's own. */
  readonly coreWasm?: Uint8Array | string;
  /** The guest program as a script. Default: runtime/kernel/main.ts, bundled. */
  readonly bundle?: string;
  /** A TypeScript module to bundle instead of the default one. */
  readonly entry?: string;
  /** Where to write the image. Default: build/images/ballonet-ARCH.elf in the package. */
  readonly out?: string;
  readonly cacheDirectory?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BuildProgress) => void;
}

export interface BuiltImage {
  readonly path: string;
  /** The same image with its symbols, for gdb and addr2line. No machine boots it. */
  readonly symbolsPath: string;
  readonly bytes: number;
  /** Bytes of the engine's memory in the image, and functions that the guest can call. */
  readonly snapshotBytes: number;
  readonly coreFunctions: readonly string[];
}

/** The package's root: where package.json is, above this file, compiled or not. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "runtime/kernel/boot/start.c"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the package's boot code is missing");
    folder = parent;
  }
  return folder;
}

/** Steps that a build tells about, in their order. */
const STEPS = [
  "find a compiler",
  "bundle the guest program",
  "evaluate it",
  "convert WebAssembly to C",
  "compile the engine (about 20 s the first time)",
  "compile the core and the kernel",
  "link",
] as const;

interface Build {
  readonly options: BuildImageOptions;
  readonly root: string;
  readonly boot: string;
  readonly compiler: Compiler;
  readonly cache: Cache;
  /** Everything that one compilation depends on besides its source: part of each digest. */
  readonly base: readonly string[];
  readonly flags: readonly string[];
}

async function bootSources(boot: string): Promise<Map<string, string>> {
  const names = (await readdir(boot, { recursive: true })).filter((name) => /\.\w+$/.test(name));
  const found = new Map<string, string>();
  for (const name of names.sort()) found.set(name, await readFile(join(boot, name), "utf8"));
  return found;
}

/** Converts one module; the result is a folder of C files and headers. */
async function convert(
  build: Build,
  module: "engine" | "core",
  wasm: Uint8Array,
  outputs: number,
): Promise<string> {
  const recipe = [await wasm2cRecipe(), String(outputs)];
  return build.cache.file(`${module}-c`, [wasm, ...recipe], async (folder) => {
    await mkdir(folder, { recursive: true });
    const input = join(folder, "module.wasm");
    await writeFile(input, wasm);
    const output = join(folder, `${module}-module.c`);
    await wasm2c({ input, output, name: module, outputs });
    await rm(input);
    // The macros that are adapted stand in the shared header when there are several parts.
    const adapted = outputs > 1 ? `${module}-module-impl.h` : `${module}-module.c`;
    const path = join(folder, adapted);
    await writeFile(path, adaptC(await readFile(path, "utf8")));
  });
}

/** Compiles the C files of a converted module to objects. */
function compileModule(build: Build, module: "engine" | "core", folder: string): Promise<string> {
  const { arch, signal } = build.options;
  const flags = [...CODE_FLAGS[module], ...build.flags, ...MODULE_FLAGS[module][arch], "-w"];
  const inputs = [folder, ...build.base, ...flags];
  return build.cache.file(`${module}-${arch}`, inputs, async (objects) => {
    await mkdir(objects, { recursive: true });
    const pending = (await readdir(folder)).filter((name) => name.endsWith(".c"));
    const include = join(build.boot, "include");
    const worker = async (): Promise<void> => {
      for (let name = pending.pop(); name; name = pending.pop()) {
        const object = join(objects, name.replace(/\.c$/, ".o"));
        const args = [...flags, `-I${include}`, "-c", "-o", object, name];
        await compile({ compiler: build.compiler, args, directory: folder, signal });
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
  });
}

/** Compiles the boot code against the converted modules' headers. */
function compileKernel(
  build: Build,
  sources: ReadonlyMap<string, string>,
  headers: readonly string[],
  generated: Readonly<Record<string, string>>,
): Promise<string> {
  const { arch, signal } = build.options;
  const texts = [...sources].flat();
  const inputs = [...build.base, ...CODE_FLAGS.kernel, ...build.flags, ...texts, ...headers];
  const files = Object.entries(generated).flat();
  return build.cache.file(`kernel-${arch}`, [...inputs, ...files], async (objects) => {
    await mkdir(objects, { recursive: true });
    for (const [name, text] of Object.entries(generated)) {
      await writeFile(join(objects, name), text);
    }
    const includes = [objects, build.boot, join(build.boot, "include"), ...headers];
    const warnings = ["-Wall", "-Wextra"];
    const paths = includes.map((path) => `-I${path}`);
    const flags = [...CODE_FLAGS.kernel, ...build.flags, ...warnings, ...paths];
    const pending = [
      ...[...SOURCES, `entry-${arch}.S`].map((name) => join(build.boot, name)),
      ...Object.keys(generated).filter((name) => name.endsWith(".c")),
    ];
    const worker = async (): Promise<void> => {
      for (let name = pending.pop(); name; name = pending.pop()) {
        const object = join(objects, `${basename(name).replace(/\.\w$/, "")}.o`);
        const args = [...flags, "-c", "-o", object, name];
        await compile({ compiler: build.compiler, args, directory: objects, signal });
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    const script = ["-E", "-P", "-x", "c", "-DIMAGE", `-I${build.boot}`, "-include", "layout.h"];
    const args = [...script, "-o", join(objects, "link.ld"), join(build.boot, "link.ld")];
    await compile({ compiler: build.compiler, args, directory: objects, signal });
  });
}

/** What a link makes: the image, and the same with its symbols. */
const LINKED = { image: "image.elf", symbols: "symbols.elf" } as const;

/** Assembles the snapshot and links everything; the result is a folder with LINKED in it. */
function link(build: Build, folders: readonly string[], snapshot: Snapshot): Promise<string> {
  const { arch, signal } = build.options;
  const kernel = folders[0] as string;
  const source = snapshotSource(snapshot, "packed.bin");
  const packed = packWords(snapshot.frames);
  const inputs = [...build.base, ...folders, source, packed];
  return build.cache.file(`${arch}-linked`, inputs, async (folder) => {
    const work = `${folder}.work`;
    await mkdir(folder, { recursive: true });
    await mkdir(work, { recursive: true });
    try {
      await writeFile(join(work, "packed.bin"), packed);
      await writeFile(join(work, "snapshot.S"), source);
      const assemble = ["-c", "-o", "snapshot.o", "snapshot.S"];
      await compile({ compiler: build.compiler, args: assemble, directory: work, signal });
      const objects: string[] = [join(work, "snapshot.o")];
      for (const folder of folders) {
        const names = (await readdir(folder)).filter((name) => name.endsWith(".o")).sort();
        objects.push(...names.map((name) => join(folder, name)));
      }
      const wl = ["--build-id=none", "-z,noexecstack", "-z,max-page-size=4096", "--gc-sections"];
      const common = ["-nostdlib", "-static", "-no-pie", `-Wl,${wl.join(",")}`];
      for (const [name, strip] of [
        [LINKED.image, ["-s"]],
        [LINKED.symbols, []],
      ] as const) {
        const output = ["-T", join(kernel, "link.ld"), "-o", join(folder, name), ...objects];
        const args = [...common, ...strip, ...output];
        await compile({ compiler: build.compiler, args, directory: work, signal });
      }
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

async function readCore(root: string, given: Uint8Array | string | undefined): Promise<Uint8Array> {
  if (given instanceof Uint8Array) return given;
  const path = given ?? join(root, "build/core.wasm");
  try {
    return new Uint8Array(await readFile(path));
  } catch {
    throw new ImageError({
      code: "core",
      what: "core.wasm",
      seen: `no file ${path}`,
      todo: "run `npm run build:core` first",
    });
  }
}

/** Replaces the file as a whole: whoever boots the older one right now never sees half a file. */
async function replace(path: string, from: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await copyFile(from, partial);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * Builds an image. The first build compiles the engine, which takes about 20 s; later ones take one
 * or two. Rejects with ImageError, or with the signal's reason when aborted.
 */
export async function buildImage(options: BuildImageOptions): Promise<BuiltImage> {
  const { arch, signal } = options;
  let done = 0;
  const next = (): void => {
    signal?.throwIfAborted();
    const step = STEPS[done];
    if (step) options.onProgress?.({ step, done, of: STEPS.length });
    done++;
  };
  const root = packageRoot();
  const boot = join(root, "runtime/kernel/boot");
  const cache = new Cache(options.cacheDirectory ?? join(root, "build/cache"));

  next();
  const compiler = await findCompiler(signal ? { arch, signal } : { arch });
  const sources = await bootSources(boot);
  const runtimeHeader = sources.get("include/wasm-rt.h") ?? "";
  const build: Build = {
    options,
    root,
    boot,
    compiler,
    cache,
    base: [compiler.command, compiler.version, ...compiler.options, runtimeHeader],
    flags: [...COMMON_FLAGS, ...ARCH_FLAGS[arch]],
  };
  const core = await readCore(root, options.coreWasm);
  const functions = [...coreFunctions(core).keys()];

  next();
  const entry = options.entry ?? join(root, "runtime/kernel/main.ts");
  const { bundle } = options;
  const scripts = bundle === undefined ? await bundleGuest(entry) : [bundle];

  next();
  const engine = await readEngine();
  const snapshot = await takeSnapshot({
    engine,
    scripts,
    machineFunctions: MACHINE_FUNCTIONS,
    coreFunctions: functions,
    scriptStackBytes: SCRIPT_STACK_BYTES[arch],
  });

  next();
  const engineC = await convert(build, "engine", withoutData(engine.wasm), ENGINE_PARTS);
  const coreC = await convert(build, "core", core, 1);

  next();
  const engineObjects = await compileModule(build, "engine", engineC);

  next();
  const coreObjects = await compileModule(build, "core", coreC);
  const coreHeader = await readFile(join(coreC, "core-module.h"), "utf8");
  const engineHeader = await readFile(join(engineC, "engine-module.h"), "utf8");
  const kernel = await compileKernel(build, sources, [engineC, coreC], {
    "engine-names.h": engineNames(engine, engineHeader),
    "core-glue.c": coreGlue(core, coreHeader),
  });

  next();
  const linked = await link(build, [kernel, engineObjects, coreObjects], snapshot);
  const path = options.out ?? join(root, `build/images/ballonet-${arch}.elf`);
  await mkdir(dirname(path), { recursive: true });
  const symbolsPath = `${path.replace(/\.elf$/, "")}.sym.elf`;
  await replace(symbolsPath, join(linked, LINKED.symbols));
  await replace(path, join(linked, LINKED.image));
  await cache.prune();
  options.onProgress?.({ step: "done", done: STEPS.length, of: STEPS.length });
  const { size: bytes } = await stat(path);
  const snapshotBytes = snapshot.frames.length;
  return { path, symbolsPath, bytes, snapshotBytes, coreFunctions: functions };
}
