/**
 * A client of QMP, QEMU's machine protocol, over any duplex stream or a unix socket.
 *
 *   greeting --(version read)--> negotiating --(qmp_capabilities returned)--> ready
 *       \______________________________\______________________________________/--> closed
 */

import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { type Deadline, waitFor } from "../deadline.ts";
import { QmpCommandError, VmmError } from "../errors.ts";
import { EventQueue } from "../event-queue.ts";
import {
  asBigInt,
  formatJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from "../json.ts";
import { LineSplitter } from "../line-splitter.ts";

/** QEMU's largest replies (schema, device trees) have some hundred KiB; far more is an error. */
const MAX_QMP_LINE_BYTES = 16 * 1024 * 1024;
/** Events kept for a slow reader: a guest can cause them without end. */
export const MAX_QUEUED_EVENTS = 4_096;
/** Commands answer at once unless QEMU's main loop is stuck. */
const COMMAND_MS = 10_000;
const HANDSHAKE_MS = 10_000;

/** QEMU's version, from QMP's greeting. */
export interface QmpVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
  /** The distribution's own name for its build, often empty. */
  readonly package: string;
}

/** An event that QEMU sent. */
export interface QmpEvent {
  /** "BALLOON_CHANGE", "RESET", "SHUTDOWN", ... */
  readonly name: string;
  /** The event's `data` member; empty where it has none. */
  readonly payload: JsonObject;
  /** Microseconds since 1970 by QEMU's clock. */
  readonly timestampUs: bigint;
}

interface Pending {
  readonly command: string;
  readonly resolve: (value: JsonValue) => void;
  readonly reject: (reason: unknown) => void;
}

type State =
  | { readonly at: "greeting"; readonly greeted: (version: QmpVersion) => void }
  | { readonly at: "open" }
  | { readonly at: "closed"; readonly reason: VmmError };

/**
 * A connection to QEMU's monitor. Each command settles once, at the latest when the connection
 * ends.
 */
export class QmpClient {
  /** QEMU's version, known once connected. */
  version: QmpVersion = { major: 0, minor: 0, micro: 0, package: "" };
  private readonly stream: Duplex;
  private readonly splitter: LineSplitter;
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new Set<(event: QmpEvent) => void>();
  private readonly closeListeners = new Set<(reason: VmmError) => void>();
  private nextId = 1;
  private state: State = { at: "greeting", greeted: () => {} };

  private constructor(stream: Duplex) {
    this.stream = stream;
    this.splitter = new LineSplitter({
      maxBytes: MAX_QMP_LINE_BYTES,
      onLine: (line) => this.receive(line),
      onOversize: () => this.fail(broken(`a line of more than ${MAX_QMP_LINE_BYTES} bytes`)),
    });
    stream.on("data", (bytes: Buffer) => {
      if (this.state.at !== "closed") this.splitter.push(bytes);
    });
    stream.on("error", (cause) => this.fail(closedError(String(cause), cause)));
    stream.on("end", () => this.fail(closedError("the end of the stream")));
    stream.on("close", () => this.fail(closedError("the stream closed")));
  }

  /**
   * Connects over `stream`, or to the unix socket at `path`, and negotiates.
   * Rejects with `closed`, `protocol` or `timeout`; the stream is destroyed then. Default: 10 s.
   */
  static async connect(
    options: ({ stream: Duplex } | { path: string }) & Deadline,
  ): Promise<QmpClient> {
    const stream = "stream" in options ? options.stream : connect(options.path);
    const client = new QmpClient(stream);
    try {
      client.version = await waitFor<QmpVersion>({
        what: "QMP's greeting",
        deadline: options,
        defaultMs: HANDSHAKE_MS,
        begin: (greeted, reject) => {
          if (client.state.at === "closed") throw client.state.reason;
          client.state = { at: "greeting", greeted };
          return client.onClose(reject);
        },
      });
      await client.execute({ command: "qmp_capabilities", ...options });
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /**
   * Runs one command and returns its `return` member. Integers beyond 2^53 - 1 are bigints, in both
   * directions. Rejects with QmpCommandError, `closed`, `protocol` or `timeout` (default: 10 s);
   * a command that was given up may still take effect.
   */
  execute(options: { command: string; args?: JsonObject } & Deadline): Promise<JsonValue> {
    const { command, args } = options;
    return waitFor<JsonValue>({
      what: `QMP's reply to ${command}`,
      deadline: options,
      defaultMs: COMMAND_MS,
      begin: (resolve, reject) => {
        if (this.state.at === "closed") throw this.state.reason;
        const id = this.nextId++;
        this.pending.set(id, { command, resolve, reject });
        this.stream.write(`${formatJson({ execute: command, arguments: args, id })}\n`);
        return () => this.pending.delete(id);
      },
    });
  }

  /** Calls `listener` for each event from now on. Returns a function that removes it. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls `listener` once when the connection has ended (at once if it has); see `onEvent`. */
  onClose(listener: (reason: VmmError) => void): () => void {
    if (this.state.at === "closed") listener(this.state.reason);
    else this.closeListeners.add(listener);
    return () => this.closeListeners.delete(listener);
  }

  /**
   * Returns the next event called `name` that `accept` accepts.
   * Rejects with `closed`, `timeout` (default: 10 s) or the signal's reason.
   */
  waitForEvent(
    options: { name: string; accept?: (event: QmpEvent) => boolean } & Deadline,
  ): Promise<QmpEvent> {
    const { name, accept } = options;
    return waitFor<QmpEvent>({
      what: `QMP's event ${name}`,
      deadline: options,
      defaultMs: COMMAND_MS,
      begin: (resolve, reject) => {
        const stopListening = this.onEvent((event) => {
          if (event.name === name && (accept?.(event) ?? true)) resolve(event);
        });
        const stopWatching = this.onClose(reject);
        return () => {
          stopListening();
          stopWatching();
        };
      },
    });
  }

  /**
   * Iterates over the events from now on, until the connection ends. The oldest are dropped when
   * more than 4096 wait.
   */
  events(): AsyncIterableIterator<QmpEvent> {
    const stops: (() => void)[] = [];
    const onReturn = () => {
      for (const stop of stops) stop();
    };
    const queue = new EventQueue<QmpEvent>({ max: MAX_QUEUED_EVENTS, onReturn });
    stops.push(
      this.onEvent((event) => queue.push(event)),
      this.onClose(() => queue.close()),
    );
    return queue;
  }

  /** Ends the connection; pending commands reject with `closed`. The machine runs on. */
  close(): void {
    this.fail(closedError("close() called"));
  }

  private receive(line: string): void {
    if (this.state.at === "closed" || line === "") return;
    let message: JsonValue;
    try {
      message = parseJson(line);
    } catch (cause) {
      this.fail(broken(`${JSON.stringify(line.slice(0, 80))}, which is not JSON`, cause));
      return;
    }
    if (!isJsonObject(message)) this.fail(broken("a message that is not an object"));
    else if (this.state.at === "greeting") this.greet(message, this.state.greeted);
    else if (typeof message.event === "string") this.event(message.event, message);
    else if ("return" in message || "error" in message) this.reply(message);
    else this.fail(broken(`a message with the members ${Object.keys(message).join(", ")}`));
  }

  private greet(message: JsonObject, greeted: (version: QmpVersion) => void): void {
    const qmp = message.QMP;
    const version = isJsonObject(qmp) && isJsonObject(qmp.version) ? qmp.version : undefined;
    const qemu = version !== undefined && isJsonObject(version.qemu) ? version.qemu : undefined;
    if (version === undefined || qemu === undefined) {
      this.fail(broken("something else than QMP's greeting"));
      return;
    }
    this.state = { at: "open" };
    greeted({
      major: Number(qemu.major),
      minor: Number(qemu.minor),
      micro: Number(qemu.micro),
      package: String(version.package ?? ""),
    });
  }

  private event(name: string, message: JsonObject): void {
    const stamp = isJsonObject(message.timestamp) ? message.timestamp : {};
    const seconds = asBigInt(stamp.seconds) ?? 0n;
    const event: QmpEvent = {
      name,
      payload: isJsonObject(message.data) ? message.data : {},
      timestampUs: seconds * 1_000_000n + (asBigInt(stamp.microseconds) ?? 0n),
    };
    for (const listener of [...this.listeners]) listener(event);
  }

  private reply(message: JsonObject): void {
    const { id } = message;
    if (typeof id !== "number" || id < 1 || id >= this.nextId) {
      // QEMU leaves the id out only when it could not read the command at all.
      const said = isJsonObject(message.error) ? `: ${String(message.error.desc)}` : "";
      this.fail(broken(`a reply with the id ${String(id)} that was never sent${said}`));
      return;
    }
    const pending = this.pending.get(id);
    if (pending === undefined) return; // A late reply to a command that was given up.
    this.pending.delete(id);
    if ("return" in message) {
      pending.resolve(message.return ?? null);
      return;
    }
    const error = isJsonObject(message.error) ? message.error : {};
    const errorClass = String(error.class ?? "GenericError");
    const { command } = pending;
    pending.reject(new QmpCommandError({ command, errorClass, desc: String(error.desc ?? "") }));
  }

  private fail(reason: VmmError): void {
    if (this.state.at === "closed") return;
    this.state = { at: "closed", reason };
    this.stream.destroy();
    const pending = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of pending) reject(reason);
    const closing = [...this.closeListeners];
    this.closeListeners.clear();
    for (const listener of closing) listener(reason);
  }
}

function broken(seen: string, cause?: unknown): VmmError {
  return new VmmError({
    code: "protocol",
    what: "QMP connection",
    seen,
    todo: "check that the other end is QEMU's QMP monitor and nobody else reads from it",
    cause,
  });
}

function closedError(seen: string, cause?: unknown): VmmError {
  return new VmmError({
    code: "closed",
    what: "QMP connection",
    seen,
    todo: "check whether QEMU has ended, and why",
    cause,
  });
}
