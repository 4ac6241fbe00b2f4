/**
 * Starts QEMU, and is the machine that it runs.
 *
 * It does not outlive us: see watched-exec.ts. Its other channels are descriptors, too:
 *
 *   we --- fds 4, 5, 6 ------------ QEMU:    QMP, COM1, COM2.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { ControlPort } from "../../../runtime/abi.ts";
import { ControlClient } from "../control.ts";
import { type Deadline, waitFor } from "../deadline.ts";
import { tailPhrase, VmmError } from "../errors.ts";
import { describeExit, exitedError, noBalloonError } from "../exit.ts";
import { findProgram } from "../find-program.ts";
import { asBigInt, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { GuestLog } from "../log.ts";
import { unreadableImage } from "../machine.ts";
import { readProc, residentBytes } from "../proc.ts";
import { SharedSerial } from "../shared-serial.ts";
import type { GuestExit, Vmm } from "../vmm.ts";
import { WATCH_FD, WATCHED_EXEC } from "../watched-exec.ts";
import { COM1_FD, COM2_FD, type QemuMachineOptions, QMP_FD, qemuArguments } from "./arguments.ts";
import { QemuBalloon } from "./balloon.ts";
import { QmpClient, type QmpEvent } from "./qmp.ts";

/** How much of QEMU's own messages is kept: usually it writes a line or two before it ends. */
const MAX_COMPLAINT_CHARS = 16_384;
const LAUNCH_MS = 20_000;
const POWER_MS = 10_000;
/** After QEMU's sockets have closed, how long to wait for the reason of its end. */
const REASON_MS = 2_000;
/** Linux counts CPU times in hundredths of a second. */
const TICKS_PER_SECOND = 100;
/** Index of utime in /proc/PID/stat, counted from the field after the program's name. */
const UTIME_FIELD = 11;

/** What `launchQemu` is given: the machine, and how long the launch may take. */
export interface LaunchQemuOptions extends QemuMachineOptions, Deadline {
  /** The program: a path, or a name to look up in PATH. Default: qemu-system-ARCH. */
  readonly binary?: string;
  /** Leave the guest stopped before its first instruction, until `resume()`. */
  readonly paused?: boolean;
}

/**
 * Starts QEMU and, unless `paused`, the guest; resolves when the guest runs. `signal` and
 * `timeoutMs` (default: 20 s) bound the launch, not the run.
 * Rejects with `option`, `image`, `qemu-not-found`, `exited-early` or `timeout`; nothing is left
 * running then.
 */
export async function launchQemu(options: LaunchQemuOptions): Promise<QemuVmm> {
  const args = qemuArguments(options);
  const binary = await findQemu(options.binary ?? `qemu-system-${options.arch}`);
  if (options.image !== undefined) await checkImage(options.image);
  options.signal?.throwIfAborted();
  const child = spawn("/bin/sh", ["-c", WATCHED_EXEC, "sh", binary, ...args], {
    // A process group of its own: Ctrl-C in a terminal reaches us only, and we end in order.
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
  });
  const { memoryBytes, balloon, control = "com2" } = options;
  const vmm = new QemuVmm(child, memoryBytes, balloon !== false, control);
  const deadline = { signal: options.signal, timeoutMs: options.timeoutMs ?? LAUNCH_MS };
  try {
    await vmm.start({ ...deadline, paused: options.paused ?? false });
    return vmm;
  } catch (error) {
    const ended = error instanceof VmmError && error.code === "exited";
    const exit = await (ended ? vmm.exited : vmm.kill());
    if (!ended) throw error;
    throw new VmmError({
      code: "exited-early",
      what: "launching QEMU",
      seen: `${describeExit(exit)} and ${tailPhrase(vmm.log.tail())}`,
      todo: "correct the options or the image as QEMU's message says",
      cause: error,
    });
  }
}

/**
 * Returns the program's path and the first line of its version. Starts no machine. Rejects with
 * `qemu-not-found`, also when the program fails.
 */
export async function qemuVersion(
  options: Pick<LaunchQemuOptions, "arch" | "binary"> & Deadline,
): Promise<{ path: string; version: string }> {
  const { signal, timeoutMs: timeout = POWER_MS } = options;
  const path = await findQemu(options.binary ?? `qemu-system-${options.arch}`);
  try {
    const limits = { timeout, ...(signal ? { signal } : {}) };
    const { stdout } = await promisify(execFile)(path, ["--version"], limits);
    return { path, version: stdout.split("\n")[0] ?? "" };
  } catch (cause) {
    signal?.throwIfAborted();
    throw new VmmError({
      code: "qemu-not-found",
      what: "QEMU",
      seen: `${path} that fails: ${cause instanceof Error ? cause.message.trim() : cause}`,
      todo: "install it anew (Debian and Ubuntu: apt-get install qemu-system-x86)",
      cause,
    });
  }
}

/** A machine run by QEMU; made by `launchQemu`. */
export class QemuVmm implements Vmm {
  readonly kind = "qemu";
  readonly memoryBytes: number;
  readonly snapshots = undefined;
  readonly log = new GuestLog();
  readonly control: ControlClient;
  readonly exited: Promise<GuestExit>;
  private readonly child: ChildProcess;
  private readonly com1: SharedSerial;
  private device: QemuBalloon | undefined;
  private client: QmpClient | undefined;
  private complaint = "";
  private killed = false;
  /** Whether the guest was let run, if only as soon as it has arrived. */
  hasRun = false;

  constructor(
    child: ChildProcess,
    memoryBytes: number,
    hasBalloon: boolean,
    control: ControlPort = "com2",
  ) {
    this.child = child;
    this.memoryBytes = memoryBytes;
    this.plugged(hasBalloon);
    const com1 = stream(child, COM1_FD);
    const com2 = stream(child, COM2_FD);
    this.control = new ControlClient({
      send: (bytes) => (control === "com1" ? com1 : com2).write(bytes),
      logTail: () => this.log.tail(),
    });
    this.com1 = new SharedSerial({
      onLog: (bytes) => this.log.push(bytes),
      onControl: (bytes) => this.control.receive(bytes),
    });
    if (control === "com1") com1.on("data", (bytes: Buffer) => this.com1.push(bytes));
    else com1.on("data", (bytes: Buffer) => this.log.push(bytes));
    com2.on("data", (bytes: Buffer) => this.control.receive(bytes));
    // A socket whose other end is gone may report an error. `exited` reports the end itself.
    for (const fd of [WATCH_FD, QMP_FD, COM1_FD, COM2_FD]) stream(child, fd).on("error", () => {});
    stream(child, WATCH_FD).resume(); // Unread, a stream never ends.
    child.stderr?.on("data", (bytes: Buffer) => {
      this.complaint = (this.complaint + bytes.toString()).slice(-MAX_COMPLAINT_CHARS);
    });
    this.exited = this.watchExit();
  }

  /** QEMU's process id. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** False without a device, or after it was unplugged. */
  get hasBalloon(): boolean {
    return this.device !== undefined;
  }

  get balloon(): QemuBalloon {
    if (this.device === undefined) throw noBalloonError();
    return this.device;
  }

  /** For hotplug.ts: says whether the machine has a balloon now. Its target starts at 0. */
  plugged(hasBalloon: boolean): void {
    const parts = {
      execute: (command: { command: string; args?: JsonObject } & Deadline) =>
        this.execute(command),
      memoryBytes: this.memoryBytes,
      describeLog: () => tailPhrase(this.log.tail()),
    };
    this.device = hasBalloon ? new QemuBalloon(parts) : undefined;
  }

  /** The QMP connection: for events, the version, and commands that this class does not have. */
  get qmp(): QmpClient {
    if (this.client === undefined) throw new Error("the machine is not launched yet");
    return this.client;
  }

  /** Runs a QMP command; rejects with `exited`, and the reason, if QEMU has ended. */
  execute(options: { command: string; args?: JsonObject } & Deadline): Promise<JsonValue> {
    return this.telling(() => this.qmp.execute(options));
  }

  /** For `launchQemu`: connects, checks the memory's size, and lets the guest run. */
  async start({ paused, ...deadline }: { paused: boolean } & Deadline): Promise<void> {
    await waitFor<void>({
      what: "QEMU's start",
      deadline,
      defaultMs: LAUNCH_MS,
      begin: (started, failed) => {
        this.connect(paused, deadline).then(started, failed);
        return () => {};
      },
    });
  }

  /** Rss of /proc/PID/smaps_rollup; undefined where there is no such file. */
  async residentBytes(): Promise<number | undefined> {
    return residentBytes(this.pid);
  }

  /** User and system time of /proc/PID/stat; undefined where there is no such file. */
  async cpuSeconds(): Promise<number | undefined> {
    const text = await readProc(`/proc/${this.pid}/stat`);
    if (text === undefined) return undefined;
    // The program's name, in parentheses, may itself hold blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[UTIME_FIELD]) + Number(fields[UTIME_FIELD + 1]);
    return ticks / TICKS_PER_SECOND;
  }

  async pause(options: Deadline = {}): Promise<void> {
    await this.execute({ ...options, command: "stop" });
  }

  async resume(options: Deadline = {}): Promise<void> {
    this.hasRun = true;
    await this.execute({ ...options, command: "cont" });
  }

  /** Resolves when QEMU has reset the machine. The device keeps `actual` over a reset. */
  async reset(options: Deadline = {}): Promise<void> {
    await this.executeUntil({ ...options, command: "system_reset", event: "RESET" });
    this.com1.cut();
  }

  /** Runs a QMP command, and resolves with the event by which QEMU says that it is done. */
  async executeUntil(
    options: {
      command: string;
      args?: JsonObject;
      event: string;
      accept?: (event: QmpEvent) => boolean;
    } & Deadline,
  ): Promise<void> {
    const { event: name, accept = () => true, timeoutMs = POWER_MS, ...command } = options;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
    const done = this.qmp.waitForEvent({ name, accept, timeoutMs, signal });
    // If the command fails, its error is the one that counts.
    done.catch(() => {});
    try {
      await this.execute({ ...command, timeoutMs });
      await done;
    } finally {
      stop.abort();
    }
  }

  kill(): Promise<GuestExit> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.killed = true;
      this.child.kill("SIGKILL");
    }
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  private async connect(paused: boolean, deadline: Deadline): Promise<void> {
    const channel = stream(this.child, QMP_FD);
    this.client = await this.telling(() => QmpClient.connect({ stream: channel, ...deadline }));
    const memory = await this.execute({ ...deadline, command: "query-memory-size-summary" });
    const seen = isJsonObject(memory) ? asBigInt(memory["base-memory"]) : undefined;
    if (seen !== BigInt(this.memoryBytes)) {
      throw new VmmError({
        code: "option",
        what: "QEMU's memory",
        seen: `${seen} bytes instead of ${this.memoryBytes}`,
        todo: "set the memory with memoryBytes, not with extraArgs",
      });
    }
    if (!paused) await this.resume(deadline);
  }

  private async watchExit(): Promise<GuestExit> {
    const child = this.child;
    child.on("exit", () => {
      // The watcher must not kill any more: the pid may soon be another process's.
      stream(child, WATCH_FD).end("ended\n");
    });
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
      // "close" comes after "exit", when all output has been read.
      child.on("close", (code, signal) => resolve([code, signal]));
      child.on("error", (error) => {
        this.complaint += String(error);
        resolve([null, null]);
      });
    });
    this.com1.cut();
    const exit = this.describe(code, signal);
    const reason = exitedError({ exit, log: this.log });
    this.client?.close();
    this.log.close(reason);
    this.control.close(reason);
    return exit;
  }

  private describe(code: number | null, signal: string | null): GuestExit {
    const parts = { code, signal, complaint: this.complaint.trim() };
    if (this.killed && signal === "SIGKILL") return { reason: "killed", ...parts };
    if (code === 0) return { reason: "shutdown", ...parts };
    // isa-debug-exit ends QEMU with (value << 1) | 1; QEMU's own failures are 1 and a message.
    const complained = /^(?!.*\bwarning:).*\S/m.test(this.complaint);
    const ownFailure = code === null || code % 2 === 0 || (code === 1 && complained);
    if (ownFailure || !this.hasRun) return { reason: "failed", ...parts };
    return { reason: "guest", guestExitCode: code >> 1, ...parts };
  }

  /** Runs `ask`; if the connection closes meanwhile, rejects with the reason of QEMU's end. */
  private async telling<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof VmmError) || error.code !== "closed") throw error;
      const exit = await Promise.race([this.exited, sleep(REASON_MS, undefined, { ref: false })]);
      throw exit === undefined ? error : exitedError({ exit, log: this.log, cause: error });
    }
  }
}

/** Returns the path of QEMU's program. Rejects with `qemu-not-found`. */
async function findQemu(name: string): Promise<string> {
  const path = await findProgram(name);
  if (path !== undefined) return path;
  throw new VmmError({
    code: "qemu-not-found",
    what: "QEMU",
    seen: `no executable ${name} ${name.includes("/") ? "there" : "in PATH"}`,
    todo: "install it (Debian and Ubuntu: apt-get install qemu-system-x86) or give its path",
  });
}

async function checkImage(image: string): Promise<void> {
  try {
    await access(image, constants.R_OK);
  } catch (cause) {
    throw unreadableImage(image, cause);
  }
}

function stream(child: ChildProcess, fd: number): Duplex {
  return child.stdio[fd] as unknown as Duplex;
}
