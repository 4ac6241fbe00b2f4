/** Starts the relay (relay.c), which holds a vfio-user client's connection and its eventfds. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { FailureError } from "../../failure.ts";
import { findHostCompiler } from "../../image/compiler.ts";
import { cProgram } from "../c-programs.ts";

/** How much of the relay's own messages is kept; it writes one line at most. */
const COMPLAINT_CHARS_MAX = 1000;

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
   * @throws ImageError when the relay cannot be compiled; FailureError when it cannot listen.
   */
  static async listen(options: {
    readonly path: string;
    readonly listener: RelayListener;
    readonly signal?: AbortSignal;
  }): Promise<Relay> {
    const { path, listener, signal } = options;
    const compiler = await findHostCompiler(signal ? { signal } : {});
    const source = "vfio-user/relay.c";
    const program = await cProgram({ source, compiler, args: ["-O2", "-Wall"], signal });
    signal?.throwIfAborted();
    // A process group of its own: Ctrl-C in a terminal reaches us only, and we end it in order.
    const child = spawn(program, [path], { detached: true });
    const relay = new Relay(child, listener);
    const said = await Promise.race([
      once(child.stderr, "data").then(([bytes]) => `${bytes}`),
      once(child, "close").then(() => "the relay's end"),
    ]);
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
      seen: said.trim().slice(0, COMPLAINT_CHARS_MAX),
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
