/**
 * The steps of a build: WebAssembly to C, C to objects, objects to an image. Each result is stored
 * under a digest of all that went in.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { withSetup } from "./bz-image.ts";
import type { Cache } from "./cache.ts";
import { type Architecture, type Compiler, compile, findCompiler } from "./compiler.ts";
import { snapshotSource } from "./engine/glue.ts";
import { MEND_RECIPE, mendEngine } from "./engine/mend-engine.ts";
import type { Snapshot } from "./engine/snapshot.ts";
import { packWords } from "./pack.ts";
import { ALLOCATOR_RECIPE, placeAllocator } from "./wasm/allocator.ts";
import { HOT_RECIPE, splitHotFunctions } from "./wasm/hot-functions.ts";
import { LATE_RECIPE, lateFrames } from "./wasm/late-frames.ts";
import { INSTANCE_RECIPE, oneInstance } from "./wasm/one-instance.ts";
import { THREADED_RECIPE, threadInterpreter } from "./wasm/threaded.ts";
import { adaptC, limitStack, wasm2c, wasm2cRecipe } from "./wasm/wasm2c.ts";

const SOURCES = [
  "start.c",
  "serial.c",
  "panic.c",
  "regions.c",
  "loader.c",
  "memory.c",
  "platform/acpi.c",
  "platform/power.c",
  "platform/apic.c",
  "platform/ioapic.c",
  "platform/pic.c",
  "platform/lines.c",
  "trap.c",
  "platform/timers.c",
  "platform/rate.c",
  "platform/clock.c",
  "platform/date.c",
  "platform/alarm.c",
  "platform/wait.c",
  "libc.c",
  "wasm-rt.c",
  "engine.c",
  "contained.c",
  "suspended.c",
  "heap.c",
  "messages.c",
  "buffers.c",
  "machine.c",
  "program.c",
  "policy.c",
  "script.c",
] as const;

const COMMON_FLAGS = [
  "-ffreestanding",
  "-fno-pic",
  "-fno-pie",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fno-strict-aliasing",
  "-fno-math-errno",
  // What nothing calls is left out when linking, and padding between functions only costs room.
  "-ffunction-sections",
  "-fno-align-functions",
  "-fno-align-jumps",
  "-fno-align-loops",
  "-fno-align-labels",
  "-std=gnu11",
];

/**
 * For gcc: memset must not be compiled into a call of itself. clang does so only when hosted. And
 * what many instructions of an interpreter begin with is not to be done before going to any.
 */
const GCC_FLAGS = ["-fno-tree-loop-distribute-patterns", "-fno-gcse", "-fira-loop-pressure"];

const ARCH_FLAGS: Record<Architecture, readonly string[]> = {
  // x87 arithmetic would round differently and is slower in emulators.
  i386: ["-march=pentium4", "-mtune=generic", "-mfpmath=sse", "-msse2"],
  // Interrupts come in on the same stack.
  x86_64: ["-mno-red-zone", "-mcmodel=small"],
};

/**
 * Only the core and the kernel have line numbers in the symbol file: the engine is most of the
 * image, and its own would make that file far larger.
 */
const CODE_FLAGS = { engine: ["-O2"], core: ["-O2", "-g"], kernel: ["-O2", "-g"] } as const;
/** What programs spend their time in: in one file, calls can be compiled in place. */
const HOT_FILE = "engine-hot.c";
/** All that decides what tuneEngine does. */
const TUNE_RECIPE = [
  ...[MEND_RECIPE, LATE_RECIPE, HOT_RECIPE, THREADED_RECIPE, ALLOCATOR_RECIPE],
  INSTANCE_RECIPE,
];

const LINK_FLAGS = [
  "-nostdlib",
  "-static",
  "-no-pie",
  "-Wl,--build-id=none,-z,noexecstack,-z,max-page-size=4096,--gc-sections",
];

/** The real-mode setup is bytes and no ELF; all of it is relative to its start. */
const SETUP_FLAGS = [
  ...["-m32", "-nostdlib", "-static", "-no-pie"],
  "-Wl,--build-id=none,-Ttext=0,--oformat=binary",
];

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

/** What all steps of one build share. */
export interface Build {
  readonly arch: Architecture;
  readonly signal: AbortSignal | undefined;
  readonly compiler: Compiler;
  readonly cache: Cache;
  /** The folder of the boot code. */
  readonly boot: string;
  /** Texts of the boot code, by their paths in that folder. */
  readonly sources: ReadonlyMap<string, string>;
  /** All that a compilation depends on besides its source and flags: part of each digest. */
  readonly base: readonly string[];
  readonly flags: readonly string[];
}

/** Finds the compiler and reads the boot code. Rejects with ImageError `no-compiler`. */
export async function startBuild(
  parts: Pick<Build, "arch" | "signal" | "cache" | "boot">,
): Promise<Build> {
  const { arch, signal, boot } = parts;
  const compiler = await findCompiler(signal ? { arch, signal } : { arch });
  const sources = await bootSources(boot);
  const runtimeHeader = sources.get("include/wasm-rt.h") ?? "";
  return {
    ...parts,
    compiler,
    sources,
    base: [compiler.command, compiler.version, ...compiler.options, runtimeHeader],
    flags: [
      ...COMMON_FLAGS,
      ...(compiler.version.includes("clang") ? [] : GCC_FLAGS),
      ...ARCH_FLAGS[arch],
    ],
  };
}

async function bootSources(boot: string): Promise<Map<string, string>> {
  const names = (await readdir(boot, { recursive: true })).filter((name) => /\.\w+$/.test(name));
  const found = new Map<string, string>();
  for (const name of names.sort()) found.set(name, await readFile(join(boot, name), "utf8"));
  return found;
}

/** Compiles each source to an object, as many at once as there are processors. */
async function compileAll(
  { compiler, signal }: Build,
  parts: { sources: readonly string[]; flags: readonly string[]; directory: string; out: string },
): Promise<void> {
  const { directory, out } = parts;
  const pending = [...parts.sources];
  const worker = async (): Promise<void> => {
    for (let name = pending.pop(); name; name = pending.pop()) {
      const object = join(out, `${basename(name).replace(/\.\w$/, "")}.o`);
      await compile({
        compiler,
        args: [...parts.flags, "-c", "-o", object, name],
        directory,
        signal,
      });
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** Converts a module to C, in `outputs` files. Returns a folder of C files and headers. */
export async function convert(
  build: Build,
  module: "engine" | "core",
  wasm: Uint8Array,
  outputs: number,
): Promise<string> {
  const recipe = [
    await wasm2cRecipe(),
    String(outputs),
    ...(module === "engine" ? TUNE_RECIPE : []),
  ];
  return build.cache.file(`${module}-c`, [wasm, ...recipe], async (folder) => {
    await mkdir(folder, { recursive: true });
    const input = join(folder, "module.wasm");
    await writeFile(input, wasm);
    const output = join(folder, `${module}-module.c`);
    await wasm2c({ input, output, name: module, outputs });
    await rm(input);
    // The macros that are adapted stand in the shared header when there are several parts.
    const header = `${module}-module-impl.h`;
    const adapted = outputs > 1 ? header : `${module}-module.c`;
    const texts = new Map<string, string>();
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), "utf8");
      const fitted = name === adapted ? adaptC(text) : text;
      texts.set(name, module === "engine" ? limitStack(fitted) : fitted);
    }
    const files = module === "engine" ? tuneEngine(texts, header) : texts;
    for (const [name, text] of files) await writeFile(join(folder, name), text);
  });
}

/** Returns the engine's C as it is to be, from what wasm2c wrote. `header` is in each file. */
function tuneEngine(texts: ReadonlyMap<string, string>, header: string): Map<string, string> {
  const mended = lateFrames(mendEngine(texts));
  const split = splitHotFunctions(mended, { file: HOT_FILE, header });
  return oneInstance(placeAllocator(threadInterpreter(split)), header);
}

/** Compiles the C files of a converted module. Returns a folder of objects. */
export function compileModule(
  build: Build,
  module: "engine" | "core",
  folder: string,
): Promise<string> {
  const { arch } = build;
  const flags = [...CODE_FLAGS[module], ...build.flags, ...MODULE_FLAGS[module][arch], "-w"];
  // Its name is a digest of what is in it, wherever the cache lies.
  const inputs = [basename(folder), ...build.base, ...flags];
  return build.cache.file(`${module}-${arch}`, inputs, async (objects) => {
    await mkdir(objects, { recursive: true });
    const sources = (await readdir(folder)).filter((name) => name.endsWith(".c"));
    const include = `-I${join(build.boot, "include")}`;
    await compileAll(build, {
      sources,
      flags: [...flags, include],
      directory: folder,
      out: objects,
    });
  });
}

/**
 * Compiles the boot code and the `generated` files against the converted modules' `headers`.
 * Returns a folder of objects and the linker script.
 */
export function compileKernel(
  build: Build,
  headers: readonly string[],
  generated: Readonly<Record<string, string>>,
): Promise<string> {
  const { arch, boot, compiler, signal } = build;
  const texts = [...SOURCES, ...[...build.sources, ...Object.entries(generated)].flat()];
  const inputs = [...build.base, ...CODE_FLAGS.kernel, ...build.flags, ...headers, ...texts];
  return build.cache.file(`kernel-${arch}`, inputs, async (objects) => {
    await mkdir(objects, { recursive: true });
    for (const [name, text] of Object.entries(generated)) {
      await writeFile(join(objects, name), text);
    }
    const includes = [objects, boot, join(boot, "include"), ...headers];
    const paths = includes.map((path) => `-I${path}`);
    await compileAll(build, {
      sources: [...SOURCES, `entry-${arch}.S`]
        .map((name) => join(boot, name))
        .concat(Object.keys(generated).filter((name) => name.endsWith(".c"))),
      flags: [...CODE_FLAGS.kernel, ...build.flags, "-Wall", "-Wextra", ...paths],
      directory: objects,
      out: objects,
    });
    const script = ["-E", "-P", "-x", "c", "-DIMAGE", `-I${boot}`, "-include", "layout.h"];
    const args = [...script, "-o", join(objects, "link.ld"), join(boot, "link.ld")];
    await compile({ compiler, args, directory: objects, signal });
  });
}

/** What a link makes: the image, and the same with its symbols. */
export const LINKED = { image: "image.elf", symbols: "symbols.elf" } as const;

/**
 * Assembles the snapshot and links it with the objects in `folders`, the kernel's first. Returns a
 * folder with LINKED in it.
 */
export function link(
  build: Build,
  folders: readonly [kernel: string, ...rest: string[]],
  snapshot: Snapshot,
): Promise<string> {
  const { arch, compiler, signal } = build;
  const source = snapshotSource(snapshot, "packed.bin");
  const packed = packWords(snapshot.frames);
  const setup = build.sources.get("setup.S") ?? "";
  const inputs = [...build.base, ...folders, source, packed, setup];
  return build.cache.file(`${arch}-linked`, inputs, async (folder) => {
    const work = `${folder}.work`;
    await mkdir(folder, { recursive: true });
    await mkdir(work, { recursive: true });
    const run = (args: string[]) => compile({ compiler, args, directory: work, signal });
    try {
      await writeFile(join(work, "packed.bin"), packed);
      await writeFile(join(work, "snapshot.S"), source);
      await run(["-c", "-o", "snapshot.o", "snapshot.S"]);
      const objects = [join(work, "snapshot.o"), ...(await objectsIn(folders))];
      const common = [...LINK_FLAGS, "-T", join(folders[0], "link.ld"), ...objects];
      const image = join(folder, LINKED.image);
      await run([...common, "-s", "-o", image]);
      await run([
        ...SETUP_FLAGS,
        `-I${build.boot}`,
        "-o",
        "setup.bin",
        join(build.boot, "setup.S"),
      ]);
      const bytes = await readFile(join(work, "setup.bin"));
      await writeFile(image, withSetup(await readFile(image), bytes));
      await run([...common, "-o", join(folder, LINKED.symbols)]);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

async function objectsIn(folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    const names = (await readdir(folder)).filter((name) => name.endsWith(".o")).sort();
    found.push(...names.map((name) => join(folder, name)));
  }
  return found;
}
