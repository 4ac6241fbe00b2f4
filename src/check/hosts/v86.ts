/**
 * v86 as a host. Each machine has a thread of its own: v86 emulates in JavaScript, and where that
 * comes to no end, nothing else in its thread ever runs again. A thread can be ended from outside.
 */
import { Worker } from "node:worker_threads";
import { waitFor } from "../../vmm/deadline.ts";
import {
  type BalloonStatistics,
  ControlClient,
  GuestLog,
  VmmError,
  type VmmErrorCode,
} from "../../vmm/index.ts";
import { compileV86 } from "../../vmm/v86/engine.ts";
import type { CheckedMachine, CheckHostSystem, HostHand, HostLaunch } from "./host.ts";

/** A thread starts in half a second, and on a host with far too much to do in a minute. */
const START_MS = 120_000;

/** What a thread is given at its start. */
export interface ThreadData extends Pick<HostLaunch, "image" | "append" | "memoryBytes"> {
  readonly engine: WebAssembly.Module;
  /** Of the machine that goes on in this one. */
  readonly state: ArrayBuffer | undefined;
}

/** What a thread can be told to do. */
export type ThreadHand = Required<
  Pick<HostHand, "setTarget" | "shown" | "pause" | "resume" | "reset" | "hint">
> & {
  statistics(options: { readonly fresh: boolean }): Promise<BalloonStatistics>;
  save(): Promise<ArrayBuffer>;
};

/** A VmmError's parts, or another error in words. */
export type ThreadError =
  | {
      readonly code: VmmErrorCode;
      readonly what: string;
      readonly seen: string;
      readonly todo: string;
    }
  | string;

/** A call of its hand, which has one argument at most. */
export interface ThreadCall {
  readonly id: number;
  readonly call: keyof ThreadHand;
  readonly argument: unknown;
}

/** How a call ended. */
type ThreadAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ThreadError };

/** What a thread is sent: a line for the guest's control channel, or a call. */
export type ToThread = { readonly control: Uint8Array } | ThreadCall;

/** What a thread sends. */
export type FromThread =
  | { readonly started: true }
  | { readonly failed: ThreadError }
  | { readonly line: string }
  | { readonly control: Uint8Array }
  | ThreadAnswer
  | { readonly ended: string };

/** Returns v86 as a host. Its device always offers hinting, and no deflating on OOM. */
export function v86Host(): CheckHostSystem {
  // A bundler that took the file would leave out what it imports.
  return v86HostOf(
    new URL(/* webpackIgnore: true */ /* @vite-ignore */ "./v86-thread.js", import.meta.url),
  );
}

/** As `v86Host`, with the file of its threads. */
export function v86HostOf(file: URL): CheckHostSystem {
  return {
    name: "v86",
    arch: "i386",
    machine: "pc",
    control: "com2",
    can: ["target", "shown", "statistics", "hint", "hinting", "pause", "snapshot", "reset"],
    launch: async ({ image, append, memoryBytes, signal }) => {
      const engine = await compileV86();
      return launchThread(file, { image, append, memoryBytes, engine, state: undefined }, signal);
    },
  };
}

async function launchThread(
  file: URL,
  data: ThreadData,
  signal: AbortSignal,
): Promise<CheckedMachine> {
  signal.throwIfAborted();
  const thread = new V86Thread(file, data);
  try {
    await waitFor<void>({
      what: "the start of v86's thread",
      deadline: { signal },
      defaultMs: START_MS,
      begin: (resolve, reject) => {
        thread.started.then(resolve, reject);
        return () => {};
      },
    });
  } catch (error) {
    await thread.kill();
    throw error;
  }
  const hand: HostHand = {
    setTarget: (pages) => thread.call("setTarget", pages),
    shown: () => thread.call("shown"),
    // It asks at once.
    askMs: 0,
    statistics: (options) => thread.call("statistics", options),
    hint: () => thread.call("hint"),
    pause: () => thread.call("pause"),
    resume: () => thread.call("resume"),
    reset: () => thread.call("reset"),
    snapshot: async () => {
      const state = await thread.call("save");
      await thread.kill();
      return launchThread(file, { ...data, state }, signal);
    },
  };
  const { log: lines, control, ended } = thread;
  return { lines, control, ended, kill: () => thread.kill(), hand };
}

interface Pending {
  resolve(value: unknown): void;
  reject(reason: Error): void;
}

/** The other end of v86-thread.ts. */
class V86Thread {
  readonly log = new GuestLog();
  readonly control: ControlClient;
  /** Rejects when the machine ends before it has started. */
  readonly started: Promise<void>;
  readonly ended: Promise<string>;
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;
  private over: string | undefined;
  private start: { resolve(): void; reject(reason: Error): void } | undefined;
  private tellEnd: (how: string) => void = () => {};

  constructor(file: URL, workerData: ThreadData) {
    this.ended = new Promise((resolve) => {
      this.tellEnd = resolve;
    });
    this.started = new Promise((resolve, reject) => {
      this.start = { resolve, reject };
    });
    this.control = new ControlClient({
      // The thread ends the line anew.
      send: (bytes) => this.send({ control: bytes.subarray(0, -1) }),
      logTail: () => this.log.tail(),
    });
    const { state } = workerData;
    this.worker = new Worker(file, {
      workerData,
      transferList: state === undefined ? [] : [state],
    });
    this.worker.on("message", (message: FromThread) => this.hear(message));
    this.worker.on("error", (error) => void this.end(`a failure of v86's thread: ${error}`));
    this.worker.on("exit", (code) => void this.end(`an end of v86's thread, with ${code}`));
  }

  /** Rejects as the call does, or when the machine ends before the answer. */
  call<Name extends keyof ThreadHand>(
    call: Name,
    ...[argument]: Parameters<ThreadHand[Name]>
  ): ReturnType<ThreadHand[Name]> {
    const answer = new Promise((resolve, reject) => {
      const id = this.nextId++;
      this.pending.set(id, { resolve, reject });
      this.send({ id, call, argument });
      if (this.over !== undefined) this.forsake(exited(this.over));
    });
    return answer as ReturnType<ThreadHand[Name]>;
  }

  kill(): Promise<unknown> {
    return this.end("a kill");
  }

  private send(message: ToThread): void {
    this.worker.postMessage(message);
  }

  private hear(message: FromThread): void {
    if (this.over !== undefined) return;
    if ("line" in message) this.log.push(Buffer.from(`${message.line}\n`));
    else if ("control" in message) this.control.receive(message.control);
    else if ("id" in message) this.settle(message);
    else if ("started" in message) this.start?.resolve();
    else if ("ended" in message) void this.end(message.ended);
    else {
      this.start?.reject(errorOf(message.failed));
      void this.end("a machine that did not start");
    }
  }

  private settle(message: ThreadAnswer): void {
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    if ("error" in message) pending?.reject(errorOf(message.error));
    else pending?.resolve(message.value);
  }

  /** Ends the thread, if it has not ended, and tells everybody who waits for it. */
  private async end(how: string): Promise<void> {
    if (this.over === undefined) {
      this.over = how;
      const reason = exited(how);
      this.start?.reject(reason);
      this.log.close(reason);
      this.control.close(reason);
      this.forsake(reason);
    }
    await this.worker.terminate();
    this.tellEnd(this.over);
  }

  private forsake(reason: Error): void {
    for (const { reject } of this.pending.values()) reject(reason);
    this.pending.clear();
  }
}

function errorOf(parts: ThreadError): Error {
  return typeof parts === "string" ? new Error(parts) : new VmmError(parts);
}

function exited(seen: string): VmmError {
  return new VmmError({ code: "exited", what: "v86's machine", seen, todo: "launch it again" });
}
