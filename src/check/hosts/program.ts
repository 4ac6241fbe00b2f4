/** A VMM that is a program: one process with one serial port, and a folder for its sockets. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { FailureError } from "../../failure.ts";
import { findProgram } from "../../vmm/find-program.ts";
import { residentBytes } from "../../vmm/proc.ts";
import { WATCH_FD, WATCHED_EXEC } from "../../vmm/watched-exec.ts";
import { SerialConsole } from "./serial-console.ts";
import type { HostTransport } from "./transport.ts";

/** How much of a program's own messages is told. */
const COMPLAINT_CHARS = 400;

/** A Firecracker, cloud-hypervisor or crosvm to check. */
export interface ProgramHostOptions {
  /** The program, and arguments of the caller's that come first. Default: its name, in PATH. */
  readonly program?: readonly string[] | undefined;
  /** How the device is reached. Default: what the program does by itself. */
  readonly transport?: HostTransport | undefined;
}

/** The words of a program: its path or name, and arguments that come before all others. */
export type ProgramWords = readonly [string, ...string[]];

/**
 * Returns what is told of a program, by `words` or else by its name. Rejects with FailureError
 * `missing` when there is none.
 */
export async function programOf(
  name: string,
  words: readonly string[] | undefined,
): Promise<ProgramWords> {
  const [program = name, ...args] = words ?? [];
  const path = await findProgram(program);
  if (path !== undefined) return [path, ...args];
  const variable = `BALLONET_${name.toUpperCase().replaceAll("-", "_")}`;
  const todo = `install it, or give its path with --program or ${variable}`;
  const seen = `no executable ${program}`;
  throw new FailureError({ kind: "missing", what: name, seen, todo });
}

/** A folder that is removed with the last machine that uses it. */
export function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "ballonet-check-"));
}

let paths = 0;

/**
 * Returns a path in the folder that nothing has had yet: the socket of a program that was killed
 * stays, and the next program does not take it.
 */
export function newPath(folder: string, name: string): string {
  return join(folder, `${name}-${++paths}`);
}

/** Ends the program when what it shall do fails. */
export async function giveUpOnError<T>(program: HostProgram, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await program.kill();
    throw error;
  }
}

/** What a program is started with. */
export interface HostProgramOptions {
  readonly words: ProgramWords;
  readonly args: readonly string[];
  /** For sockets and files; removed when the program has ended. */
  readonly folder: string;
  /** Where the guest's serial port is: the program's input and output, or a stream that comes. */
  readonly serial: "stdio" | "stream";
  /** Aborted when the program has to end. */
  readonly signal: AbortSignal;
}

/** A running program; none outlives us. */
export class HostProgram {
  readonly folder: string;
  readonly serial: SerialConsole;
  /** How it ended, in words; resolves when it has. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private stream: Duplex | undefined;
  private complaint = "";
  private hasEnded = false;
  private keepsFolder = false;

  constructor({ words, args, folder, serial, signal }: HostProgramOptions) {
    this.folder = folder;
    this.child = spawn("/bin/sh", ["-c", WATCHED_EXEC, "sh", ...words, ...args], {
      detached: true,
      stdio: ["pipe", "pipe", "pipe", "pipe"],
    });
    const { stdin, stdout, stderr, stdio } = this.child;
    const watch = stdio[WATCH_FD] as unknown as Duplex;
    // A pipe whose other end is gone may report an error; `ended` tells of the end itself.
    for (const end of [stdin, stdout, stderr, watch]) end?.on("error", () => undefined);
    watch.resume();
    this.child.on("exit", () => watch.end("ended\n"));
    this.serial = new SerialConsole((bytes) => (this.stream ?? stdin)?.write(bytes));
    const complain = (bytes: Buffer) => {
      this.complaint = (this.complaint + bytes.toString()).slice(-COMPLAINT_CHARS);
    };
    stderr?.on("data", complain);
    stdout?.on("data", serial === "stdio" ? (bytes) => this.serial.push(bytes) : complain);
    this.ended = this.watchEnd();
    const kill = () => void this.kill();
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    this.ended.then(() => signal.removeEventListener("abort", kill));
  }

  get isRunning(): boolean {
    return !this.hasEnded;
  }

  /** The guest's serial port, where it is a stream. */
  takeSerial(stream: Duplex): void {
    this.stream = stream;
    stream.on("error", () => undefined);
    stream.on("data", (bytes: Buffer) => this.serial.push(bytes));
  }

  /** Bytes of memory that the process has; undefined outside of Linux. */
  residentBytes(): Promise<number | undefined> {
    return residentBytes(this.child.pid ?? 0);
  }

  /** @param keepFolder the next program uses it, too. */
  async kill({ keepFolder = false } = {}): Promise<string> {
    this.keepsFolder ||= keepFolder;
    if (!this.hasEnded) this.child.kill("SIGKILL");
    return this.ended;
  }

  private async watchEnd(): Promise<string> {
    const how = await new Promise<string>((resolve) => {
      this.child.on("close", (code, signal) => {
        resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
      });
      this.child.on("error", (error) => resolve(String(error)));
    });
    this.hasEnded = true;
    this.stream?.destroy();
    const said = this.complaint.trim();
    const end = said === "" ? how : `${how}, saying ${JSON.stringify(said)}`;
    this.serial.close(new Error(`the machine has ended: ${end}`));
    if (!this.keepsFolder) await rm(this.folder, { recursive: true, force: true });
    return end;
  }
}
