/** The client of the control channel: JSON-RPC 2.0 over a serial port, one object a line. */

import { type Deadline, waitFor } from "./deadline.ts";
import { ControlReplyError, tailPhrase, VmmError } from "./errors.ts";
import { EventQueue } from "./event-queue.ts";
import { formatJson, isJsonObject, type JsonObject, type JsonValue, parseJson } from "./json.ts";
import { LineSplitter } from "./line-splitter.ts";

/** A request is a method and a few parameters; the largest is a script of the user's. */
export const MAX_REQUEST_BYTES = 256 * 1024;
/** A guest's status is a few KiB; a reply may carry the result of a user's script. */
export const MAX_REPLY_BYTES = 1024 * 1024;
/** How many lines that are no replies are kept. */
export const MAX_STRAY_LINES = 64;
/** How many notifications are kept until somebody takes them. */
const MAX_NOTIFICATIONS = 1024;
/** How many replies without an id are kept until they are taken. */
const MAX_UNATTRIBUTED_REPLIES = 64;
const REQUEST_MS = 10_000;
const LINE_END = 0x0a;

/** The guest's ends of a control channel. */
export interface ControlOptions {
  /** Sends bytes to the guest. */
  readonly send: (bytes: Uint8Array) => void;
  /** The guest's last log lines, for error messages. */
  readonly logTail?: () => readonly string[];
}

interface Pending {
  readonly method: string;
  readonly resolve: (value: JsonValue) => void;
  readonly reject: (reason: unknown) => void;
}

/** What a program in the guest told by `notify`. */
export interface ControlNotification {
  readonly name: string;
  readonly value: JsonValue;
}

/** A reply whose id is null: the guest could not tell which request it belongs to. */
export interface UnattributedReply {
  readonly rpcCode: number;
  readonly rpcMessage: string;
  readonly detail: JsonValue | undefined;
}

/**
 * Sends requests to the guest and receives its replies. Each request settles once, at the latest
 * when the machine ends.
 *
 * A guest may print other text on its serial line: a line that is no reply is kept as a stray line.
 * Send only after the guest's log says that it is ready: a guest that sets up its serial port drops
 * what has arrived there before.
 */
export class ControlClient {
  private readonly options: ControlOptions;
  private readonly splitter: LineSplitter;
  private readonly pending = new Map<number, Pending>();
  private readonly unattributed: UnattributedReply[] = [];
  private readonly strays: string[] = [];
  private readonly notified = new EventQueue<ControlNotification>({ max: MAX_NOTIFICATIONS });
  private unattributedArrived = new Set<() => void>();
  private closing = new Set<(reason: Error) => void>();
  private closed: Error | undefined;
  private nextId = 1;

  constructor(options: ControlOptions) {
    this.options = options;
    this.splitter = new LineSplitter({
      maxBytes: MAX_REPLY_BYTES,
      onLine: (line) => this.receiveLine(line),
      onOversize: (head) => this.stray(`${head.slice(0, 80)}... (over ${MAX_REPLY_BYTES} bytes)`),
    });
  }

  /** The last 64 lines from the guest that were no replies, oldest first, as a copy. */
  get strayLines(): string[] {
    return [...this.strays];
  }

  /**
   * Sends a request and returns the `result` of its reply. Integers beyond 2^53 - 1 are bigints.
   * Rejects with ControlReplyError, `option` (request too long), `exited`, `protocol` or `timeout`
   * (default: 10 s); a request that was given up may still take effect in the guest.
   */
  request(
    options: { method: string; params?: JsonObject | readonly JsonValue[] } & Deadline,
  ): Promise<JsonValue> {
    const { method, params } = options;
    return waitFor<JsonValue>({
      what: `the guest's reply to ${method}`,
      deadline: options,
      defaultMs: REQUEST_MS,
      seen: () => tailPhrase(this.options.logTail?.() ?? []),
      begin: (resolve, reject) => {
        const id = this.nextId++;
        this.sendLine({ line: formatJson({ jsonrpc: "2.0", id, method, params }) });
        this.pending.set(id, { method, resolve, reject });
        return () => this.pending.delete(id);
      },
    });
  }

  /**
   * Returns what the guest's program tells, from the launch on, oldest first; the last 1,024 are
   * kept until somebody takes them. Each goes to one loop alone. Ends when the machine has ended.
   */
  notifications(): AsyncIterableIterator<ControlNotification, undefined> {
    const { notified } = this;
    const iterator: AsyncIterableIterator<ControlNotification, undefined> = {
      next: () => notified.next(),
      // A loop that ends early does not end the others.
      return: async () => ({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /**
   * Sends `line` as it is, with a line end: to test how a guest treats what is no request. Bytes
   * need not be UTF-8.
   * @throws VmmError `option` when it is too long, unless allowOversize; `exited` after the end.
   */
  sendLine({
    line,
    allowOversize = false,
  }: {
    line: string | Uint8Array;
    allowOversize?: boolean;
  }): void {
    if (this.closed !== undefined) throw this.closed;
    const text = typeof line === "string" ? new TextEncoder().encode(line) : line;
    const bytes = new Uint8Array(text.length + 1);
    bytes.set(text);
    bytes[text.length] = LINE_END;
    if (bytes.length > MAX_REQUEST_BYTES && !allowOversize) {
      throw new VmmError({
        code: "option",
        what: "control request",
        seen: `${bytes.length} bytes`,
        todo: `stay within ${MAX_REQUEST_BYTES} bytes`,
      });
    }
    this.options.send(bytes);
  }

  /** The oldest reply without an id that was not yet taken. Default time limit: 10 s. */
  takeUnattributed(options: Deadline = {}): Promise<UnattributedReply> {
    return waitFor<UnattributedReply>({
      what: "a reply of the guest without an id",
      deadline: options,
      defaultMs: REQUEST_MS,
      seen: () => tailPhrase(this.options.logTail?.() ?? []),
      begin: (resolve, reject) => {
        const look = (): void => {
          const reply = this.unattributed.shift();
          if (reply !== undefined) resolve(reply);
          else if (this.closed !== undefined) reject(this.closed);
          else this.unattributedArrived.add(look);
        };
        look();
        this.closing.add(reject);
        return () => {
          this.unattributedArrived.delete(look);
          this.closing.delete(reject);
        };
      },
    });
  }

  /** Bytes from the guest. For launchers. */
  receive(bytes: Uint8Array): void {
    if (this.closed === undefined) this.splitter.push(bytes);
  }

  /** The machine has ended: pending requests reject with `reason`. For launchers. */
  close(reason: Error): void {
    if (this.closed !== undefined) return;
    this.closed = reason;
    this.notified.close();
    const rejects = [...[...this.pending.values()].map(({ reject }) => reject), ...this.closing];
    this.pending.clear();
    this.closing.clear();
    for (const reject of rejects) reject(reason);
  }

  private receiveLine(line: string): void {
    if (line === "") return;
    let reply: JsonValue;
    try {
      reply = parseJson(line);
    } catch {
      this.stray(line);
      return;
    }
    const notification = notificationOf(reply);
    if (notification !== undefined) this.notified.push(notification);
    else if (!isReply(reply)) this.stray(line);
    else if (reply.id === null) this.keepUnattributed(reply, line);
    else this.settle(reply, line);
  }

  private settle(reply: JsonObject, line: string): void {
    const pending = typeof reply.id === "number" ? this.pending.get(reply.id) : undefined;
    if (pending === undefined || typeof reply.id !== "number") {
      this.stray(line); // A late reply to a request that was given up, or an unknown id.
      return;
    }
    this.pending.delete(reply.id);
    if (reply.result !== undefined) {
      pending.resolve(reply.result);
      return;
    }
    pending.reject(new ControlReplyError({ method: pending.method, ...rpcError(reply) }));
  }

  private keepUnattributed(reply: JsonObject, line: string): void {
    if (!isJsonObject(reply.error)) {
      this.stray(line); // A result must say whose it is (JSON-RPC 2.0, 5).
      return;
    }
    this.unattributed.push(rpcError(reply));
    if (this.unattributed.length > MAX_UNATTRIBUTED_REPLIES) this.unattributed.shift();
    const waiting = this.unattributedArrived;
    this.unattributedArrived = new Set();
    for (const look of waiting) look();
  }

  private stray(line: string): void {
    this.strays.push(line);
    if (this.strays.length > MAX_STRAY_LINES) this.strays.shift();
  }
}

/** A reply has a result or an error, never both (JSON-RPC 2.0, 5). */
function isReply(value: JsonValue): value is JsonObject {
  if (!isJsonObject(value) || value.jsonrpc !== "2.0") return false;
  const hasError = "error" in value;
  return "result" in value !== hasError && (!hasError || isJsonObject(value.error));
}

/** A notification has a method and no id (JSON-RPC 2.0, 4.1); a program's has one value. */
function notificationOf(line: JsonValue): ControlNotification | undefined {
  if (!isJsonObject(line) || line.jsonrpc !== "2.0" || "id" in line) return undefined;
  const { method, params } = line;
  if (typeof method !== "string" || !isJsonObject(params) || !("value" in params)) return undefined;
  return { name: method, value: params.value as JsonValue };
}

function rpcError(reply: JsonObject): UnattributedReply {
  const error = isJsonObject(reply.error) ? reply.error : {};
  return {
    rpcCode: Number(error.code ?? 0),
    rpcMessage: String(error.message ?? ""),
    detail: error.data,
  };
}
