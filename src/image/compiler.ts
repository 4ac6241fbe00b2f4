/** Finds a C compiler that makes x86 code, and runs it. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImageError } from "./errors.ts";

/** The processor that an image is for. */
export type Architecture = "i386" | "x86_64";

export interface Compiler {
  /** A name in PATH, or a path. */
  readonly command: string;
  /** Options that every call needs, such as the target. */
  readonly options: readonly string[];
  /** Part of cache keys: another compiler makes other code. */
  readonly version: string;
}

interface Outcome {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest text of a failed tool that goes into an error. */
const REASON_CHARS_MAX = 800;

interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly directory?: string;
  readonly environment?: NodeJS.ProcessEnv;
}

function run(command: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const { signal, directory, environment } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal ? { signal } : {}),
      ...(directory ? { cwd: directory } : {}),
      ...(environment ? { env: environment } : {}),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (signal?.aborted) reject(signal.reason);
      else resolve({ status: undefined, stdout, stderr: error.message });
    });
    child.on("close", (status) => resolve({ status: status ?? 1, stdout, stderr }));
  });
}

/** Compilers to try, best first: the user's choice, the native one, a cross compiler, clang. */
function candidates(environment: NodeJS.ProcessEnv): string[] {
  const chosen = environment.CC;
  const usual = ["gcc", "x86_64-linux-gnu-gcc", "clang"];
  return chosen ? [chosen] : usual;
}

/**
 * Finds a compiler. Rejects with ImageError `no-compiler` when there is none that can make x86
 * code. `environment` is the environment to look in: `CC` chooses, `PATH` is searched.
 */
export async function findCompiler(options: {
  readonly arch: Architecture;
  readonly environment?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}): Promise<Compiler> {
  const { signal, environment = process.env } = options;
  const names = candidates(environment);
  for (const command of names) {
    const version = await run(command, ["--version"], { signal, environment });
    if (version.status !== 0) continue;
    const line = version.stdout.split("\n")[0] ?? "";
    if (line.includes("clang")) {
      const target = options.arch === "i386" ? "i386-linux-gnu" : "x86_64-linux-gnu";
      return { command, options: [`--target=${target}`], version: line };
    }
    const machine = await run(command, ["-dumpmachine"], { signal, environment });
    if (!/^(x86_64|i\d86)-/.test(machine.stdout)) continue;
    return { command, options: [options.arch === "i386" ? "-m32" : "-m64"], version: line };
  }
  throw new ImageError({
    code: "no-compiler",
    what: "C compiler for x86",
    seen: `none of ${names.join(", ")}`,
    todo: "install one: `apt-get install gcc` on Debian (`clang` with `lld` on other processors)",
  });
}

/**
 * Finds a compiler for programs of this machine, whatever its processor. Rejects with ImageError
 * `no-compiler` when there is none.
 */
export async function findHostCompiler(
  options: { readonly environment?: NodeJS.ProcessEnv; readonly signal?: AbortSignal } = {},
): Promise<Compiler> {
  const { signal, environment = process.env } = options;
  const names = environment.CC ? [environment.CC] : ["cc", "gcc", "clang"];
  for (const command of names) {
    const { status, stdout } = await run(command, ["--version"], { signal, environment });
    if (status === 0) return { command, options: [], version: stdout.split("\n")[0] ?? "" };
  }
  throw new ImageError({
    code: "no-compiler",
    what: "C compiler for this machine",
    seen: `none of ${names.join(", ")}`,
    todo: "install one: `apt-get install gcc libc6-dev` on Debian",
  });
}

/** Runs the compiler in `directory`. Rejects with ImageError `compile` and its first messages. */
export async function compile(options: {
  readonly compiler: Compiler;
  readonly args: readonly string[];
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<void> {
  const args = [...options.compiler.options, ...options.args];
  const { signal, directory } = options;
  const outcome = await run(options.compiler.command, args, { signal, directory });
  if (outcome.status === 0) return;
  throw new ImageError({
    code: "compile",
    what: `${options.compiler.command} ${options.args.at(-1) ?? ""}`,
    seen: outcome.stderr.trim().slice(0, REASON_CHARS_MAX) || "no message",
    todo: "install a newer gcc or clang, or report this with the compiler's version",
  });
}

/**
 * Finds a compiler, and compiles and links a function that does nothing. Rejects with ImageError
 * `no-compiler` or `compile`.
 */
export async function tryCompiler(options: {
  readonly arch: Architecture;
  readonly signal?: AbortSignal;
}): Promise<Compiler> {
  const compiler = await findCompiler(options);
  const directory = await mkdtemp(join(tmpdir(), "ballonet-compiler-"));
  try {
    await writeFile(join(directory, "nothing.c"), "void _start(void) {}\n");
    const flags = ["-ffreestanding", "-nostdlib", "-static", "-no-pie"];
    const args = [...flags, "-o", "nothing.elf", "nothing.c"];
    await compile({ compiler, args, directory, signal: options.signal });
    return compiler;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
