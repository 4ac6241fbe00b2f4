/** Starts the relay (relay.c), which holds a vfio-user client's connection and its eventfds. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { getSystemErrorMap } from "node:util";
import { FailureError } from "../../failure.ts";
import { relayProgram } from "./relay-program.ts";

/** Room for a socket's path, and a zero, in an address of Linux. */
const PATH_BYTES = 108;

/** What comes of the client. */
export interface RelayListener {
  /** A client has connected. */
  onClient(): void;
  /** Bytes of the client. */
  onBytes(bytes: Uint8Array): void;
  /** The client has gone, or the relay has. */
  onEnd(): void;
}

export class Relay {
  private readonly child: ChildProcessWithoutNullStreams;

  private constructor(child: ChildProcessWithoutNullStreams, listener: RelayListener) {
    this.child = child;
    // What is written to a relay that has ended is lost; its end is told by `close`.
    child.stdin.on("error", () => {});
    child.stdout.on("data", (bytes: Buffer) => listener.onBytes(bytes));
    child.on("close", () => listener.onEnd());
  }

  /**
   * Listens for one client on a Unix socket that is made at `path`, its owner's alone.
   *
   * @throws FailureError when it cannot listen, or no program may run where the relay lies;
   *   ImageError when it has to be compiled and cannot be.
   */
  static async listen(options: {
    readonly path: string;
    readonly listener: RelayListener;
    readonly signal?: AbortSignal;
  }): Promise<Relay> {
    const { path, listener, signal } = options;
    checkLength(path);
    const program = await relayProgram(signal ? { signal } : {});
    signal?.throwIfAborted();
    // A process group of its own: Ctrl-C in a terminal reaches us only, and we end it in order.
    const child = spawn(program, [path], { detached: true });
    const relay = new Relay(child, listener);
    const said = await Promise.race([
      once(child.stderr, "data").then(([bytes]) => `${bytes}`),
      once(child, "close").then(() => "the relay's end"),
    ]).catch((error: unknown) => {
      throw new FailureError({
        kind: "missing",
        what: "the relay between QEMU and the device",
        seen: error instanceof Error ? error.message : String(error),
        todo: "name a folder in which programs may run, with XDG_CACHE_HOME",
      });
    });
    if (said.includes("listening")) {
      // It says nothing else before it ends.
      child.stderr.once("data", () => listener.onClient());
      child.stderr.resume();
      return relay;
    }
    child.stderr.resume();
    await relay.end();
    throw new FailureError({
      kind: "missing",
      what: "the socket of the device",
      seen: complaintOf(said, path),
      todo: "name a path that can be made, in a folder that can be written",
    });
  }

  send(bytes: Uint8Array): void {
    this.child.stdin.write(bytes);
  }

  /** Ends the relay and the client's connection; resolves when it has ended. */
  async end(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
  }
}

/** @throws FailureError for a path that no socket can have. */
function checkLength(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes < PATH_BYTES) return;
  throw new FailureError({
    kind: "missing",
    what: "the socket of the device",
    seen: `a path of ${bytes} bytes`,
    todo: `give one of less than ${PATH_BYTES} bytes`,
  });
}

/** What the relay says, with the name of the system's error: `ENOENT: no such file`. */
function complaintOf(said: string, path: string): string {
  const number = Number(/error (\d+)/.exec(said)?.[1] ?? 0);
  const known = getSystemErrorMap().get(-number);
  return known === undefined ? said.trim() : `${path}: ${known.join(": ")}`;
}
