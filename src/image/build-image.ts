/**
 * Makes a bootable image: core.wasm, the JavaScript engine and a guest program, in one ELF file.
 * The same inputs give the same image, and only what changed is done again.
 */
import { copyFile, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { cacheFolder, isCheckout, missingPackage, packageFolder } from "../package.ts";
import { unpackedSources } from "./archive.ts";
import { compileKernel, compileModule, convert, LINKED, link, startBuild } from "./build-steps.ts";
import { bundleGuest } from "./bundle.ts";
import { Cache } from "./cache.ts";
import type { Architecture } from "./compiler.ts";
import { readEngine } from "./engine/engine-package.ts";
import { coreFunctions, coreGlue, engineNames, MACHINE_FUNCTIONS } from "./engine/glue.ts";
import { takeSnapshot } from "./engine/snapshot.ts";
import { ImageError } from "./errors.ts";
import { withoutData } from "./wasm/binary.ts";

/** Files of the engine's C: enough that a machine's cores share the work. */
const ENGINE_PARTS = 4;

/**
 * JavaScript's stack in the engine's memory. The compiled engine uses the kernel's stack of 1 MiB
 * as well, for each byte of this one 2.6 bytes on x86_64 and 6.7 on i386 at worst (seen with
 * constructors that call themselves): with these limits a quarter of it is never reached.
 */
const SCRIPT_STACK_BYTES: Record<Architecture, number> = {
  i386: 112 * 1024,
  x86_64: 256 * 1024,
};

/** How far a build is. */
export interface BuildProgress {
  /** What is being done, for people: "compile the engine". */
  readonly step: string;
  /** Steps done so far. */
  readonly done: number;
  /** Steps in all. */
  readonly of: number;
}

/** What `buildImage` is given. */
export interface BuildImageOptions {
  /** The processor that the image is for. */
  readonly arch: Architecture;
  /** The compiled core: its bytes or its path. Default: the package's own. */
  readonly coreWasm?: Uint8Array | string;
  /** The guest program as a script. Default: `entry`, bundled. */
  readonly bundle?: string;
  /** The guest program as a TypeScript module. Default: the package's own. */
  readonly entry?: string;
  /** Where to write the image. Default: ballonet-ARCH.elf here, or in a checkout's build/images. */
  readonly out?: string;
  /** Where results of steps are kept. Default: build/cache in a checkout, else the user's cache. */
  readonly cacheDirectory?: string;
  /** Aborting rejects the build with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each step and at the end. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** An image that was built. */
export interface BuiltImage {
  readonly path: string;
  /** The same image with its symbols, for gdb and addr2line. No machine boots it. */
  readonly symbolsPath: string;
  /** Size of the image's file. */
  readonly bytes: number;
  /** Bytes of the engine's memory that the image carries, before they are packed. */
  readonly snapshotBytes: number;
  /** Names of the core's functions that the guest can call. */
  readonly coreFunctions: readonly string[];
}

/** The steps that `onProgress` tells of, in their order. */
const STEPS = [
  "find a compiler",
  "bundle the guest program",
  "evaluate it",
  "convert WebAssembly to C",
  "compile the engine (about 20 s the first time)",
  "compile the core and the kernel",
  "link",
] as const;

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

/** Replaces the file as a whole: a machine that boots the older one now never sees half a file. */
async function replace(path: string, from: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await copyFile(from, partial);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Returns a function to call before each step: it tells of the step, or throws when aborted. */
function stepper({ signal, onProgress }: BuildImageOptions): () => void {
  let done = 0;
  return () => {
    signal?.throwIfAborted();
    const step = STEPS[done];
    if (step) onProgress?.({ step, done, of: STEPS.length });
    done++;
  };
}

/**
 * Builds an image. The first build compiles the engine, which takes about 20 s; later ones take one
 * or two. Rejects with ImageError, or with the signal's reason when aborted.
 */
export async function buildImage(options: BuildImageOptions): Promise<BuiltImage> {
  try {
    return await build(options);
  } catch (error) {
    const absent = missingPackage(error);
    throw absent === undefined ? error : new ImageError({ code: "package", ...absent });
  }
}

async function build(options: BuildImageOptions): Promise<BuiltImage> {
  const { arch, signal, bundle } = options;
  const next = stepper(options);
  const root = packageFolder();
  const cache = new Cache(options.cacheDirectory ?? cacheFolder());

  next();
  const sources = await unpackedSources(cache);
  const tools = await startBuild({ arch, signal, cache, boot: sources.boot });
  const core = await readCore(root, options.coreWasm);
  const functions = [...coreFunctions(core).keys()];

  next();
  const entry = options.entry ?? sources.entry;
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
  const engineC = await convert(tools, "engine", withoutData(engine.wasm), ENGINE_PARTS);
  const coreC = await convert(tools, "core", core, 1);

  next();
  const engineObjects = await compileModule(tools, "engine", engineC);

  next();
  const coreObjects = await compileModule(tools, "core", coreC);
  const kernel = await compileKernel(tools, [engineC, coreC], {
    "engine-names.h": engineNames(engine, await readFile(join(engineC, "engine-module.h"), "utf8")),
    "core-glue.c": coreGlue(core, await readFile(join(coreC, "core-module.h"), "utf8")),
  });

  next();
  const linked = await link(tools, [kernel, engineObjects, coreObjects], snapshot);
  const images = isCheckout() ? join(root, "build/images") : ".";
  const path = options.out ?? resolve(images, `ballonet-${arch}.elf`);
  const symbolsPath = `${path.replace(/\.elf$/, "")}.sym.elf`;
  await mkdir(dirname(path), { recursive: true });
  await replace(symbolsPath, join(linked, LINKED.symbols));
  await replace(path, join(linked, LINKED.image));
  await cache.prune();
  options.onProgress?.({ step: "done", done: STEPS.length, of: STEPS.length });
  const { size: bytes } = await stat(path);
  const snapshotBytes = snapshot.frames.length;
  return { path, symbolsPath, bytes, snapshotBytes, coreFunctions: functions };
}
