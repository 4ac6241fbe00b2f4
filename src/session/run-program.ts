/**
 * Boots a machine that runs the user's program, and follows the program to its end.
 *
 * The guest writes each line of the program behind a label (runtime/guest/console.ts); all other
 * lines are the guest's own.
 */
import { EXIT } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";
import type { BuildProgress } from "../image/build-image.ts";
import { programImageFile, provideProgramImage } from "../image/provide-program-image.ts";
import { checkAppend } from "../vmm/machine.ts";
import { launchQemu } from "../vmm/qemu/qemu.ts";
import { launchV86 } from "../vmm/v86/v86.ts";
import type { GuestExit, Vmm } from "../vmm/vmm.ts";
import { failureOfExit } from "./guest-exit.ts";
import { DEFAULT_MEMORY_BYTES } from "./plan.ts";
import { checkProgramMachine } from "./program-machine.ts";

/** A line that the program printed. */
export interface ProgramLine {
  /** Which function of `console` printed it; `info` is `log`. */
  readonly level: "log" | "debug" | "warn" | "error";
  /** Places of errors are those in the program's sources. */
  readonly text: string;
}

/** What `runProgram` is given. */
export interface RunProgramOptions {
  /** Path of the program: a TypeScript or JavaScript module. */
  readonly app: string;
  /** The emulator. Default: v86. */
  readonly on?: "v86" | "qemu";
  /** Default: i386 on v86, which has nothing else, and x86_64 on QEMU. */
  readonly arch?: "i386" | "x86_64" | undefined;
  /** QEMU's machine type. Default: `pc`. */
  readonly machine?: "pc" | "q35" | "microvm" | undefined;
  /** QEMU's program: a path, or a name to look up in PATH. */
  readonly qemu?: string | undefined;
  /** Default: 64 MiB on v86, 256 MiB on QEMU. */
  readonly memoryBytes?: number | undefined;
  /**
   * Path of a policy for the driver: a module whose default export is a `Policy`. Default: the
   * policy `cooperative`, or that of `append`.
   */
  readonly policy?: string | undefined;
  /** The program's arguments. */
  readonly args?: readonly string[];
  /** The program's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** `ballonet.KEY=VALUE` words for the driver. */
  readonly append?: string;
  /** Ends the machine; `runProgram` rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Called for each line that the program prints. */
  readonly onLine?: (line: ProgramLine) => void;
  /** Called for each other line of the guest's log. */
  readonly onLog?: (line: string) => void;
  /** Called before each step of building the image. */
  readonly onProgress?: (progress: BuildProgress) => void;
  /** Called when the program is bundled, with the files that it and the policy are made of. */
  readonly onBundled?: (inputs: readonly string[]) => void;
  /** Called when the machine runs: its balloon and its control channel are there. */
  readonly onStart?: (vm: Vmm) => void;
}

const LABEL = /^program(?:\.(debug|warn|error))?: ?(.*)$/;
const ENDED = /^ballonet: the program has ended with code (\d+)$/;

/** Returns the guest's command line: what it reads is runtime/guest/command-line.ts. */
function commandLine({ append = "", env = {}, args = [] }: RunProgramOptions): string {
  const escaped = (text: string) => text.replace(/[%\s]/g, encodeURIComponent);
  const named = Object.entries(env).map(
    ([name, value]) => `env.${escaped(name)}=${escaped(value)}`,
  );
  const given = args.length === 0 ? [] : ["--", ...args.map(escaped)];
  if (args.includes("")) {
    throw new FailureError({
      kind: "usage",
      what: "the program's arguments",
      seen: "an empty one",
      todo: "leave it out: a kernel's command line has no empty words",
    });
  }
  const line = [append, ...named, ...given].filter(Boolean).join(" ");
  checkAppend(line);
  return line;
}

/**
 * Runs a program to its end. Returns the code that it ended with: that of `exit`, 0 when it had
 * nothing left to do, 14 when it threw what it did not catch.
 *
 * Rejects with ImageError when it cannot be bundled, with VmmError when the emulator fails, with
 * FailureError when the guest ended for another reason, or with the signal's reason.
 */
export async function runProgram(options: RunProgramOptions): Promise<number> {
  const { on = "v86", arch = on === "v86" ? "i386" : "x86_64", signal, onProgress } = options;
  checkProgramMachine(options);
  const append = commandLine(options);
  const image = await provideProgramImage({
    app: options.app,
    policy: options.policy,
    arch,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  options.onBundled?.(image.inputs);
  const common = {
    append,
    memoryBytes: options.memoryBytes ?? DEFAULT_MEMORY_BYTES[on],
    ...(signal === undefined ? {} : { signal }),
  };
  const vm =
    on === "v86"
      ? await launchV86({ ...common, image: image.contents })
      : await launchQemu({
          ...common,
          image: await programImageFile(image, arch),
          arch,
          machine: options.machine ?? "pc",
          ...(options.qemu === undefined ? {} : { binary: options.qemu }),
        });
  return follow(vm, image.sourceLines, options);
}

/** Tells of the machine's lines until it ends. Returns the program's code. */
async function follow(
  vm: Vmm,
  sourceLines: (text: string) => string,
  { signal, onLine, onLog, onStart }: RunProgramOptions,
): Promise<number> {
  const kill = () => void vm.kill();
  signal?.addEventListener("abort", kill);
  let code: number | undefined;
  let exit: GuestExit;
  try {
    onStart?.(vm);
    for await (const line of vm.log) {
      const [isProgram, level = "log", text = ""] = LABEL.exec(line) ?? [];
      if (isProgram !== undefined) {
        onLine?.({ level: level as ProgramLine["level"], text: sourceLines(text) });
        continue;
      }
      const ended = ENDED.exec(line)?.[1];
      if (ended !== undefined) code = Number(ended);
      onLog?.(line);
    }
  } finally {
    signal?.removeEventListener("abort", kill);
    exit = code === undefined ? await vm.exited : await vm.kill();
  }
  signal?.throwIfAborted();
  if (code !== undefined) return code;
  // The guest drops what a busy host does not read for seconds: the line that tells the code, too.
  if (exit.guestExitCode === EXIT.programFailed) return EXIT.programFailed;
  throw failureOfExit(exit, vm.log.lines);
}
