/**
 * The client of the guest's control channel: JSON-RPC 2.0 over COM2, one object a line.
 *
 * It knows the protocol and no method. A serial line has neither start nor end, and a guest may
 * print rubbish on it: whatever is no reply is set aside as a stray line and harms nobody. Speak
 * only after the guest's log says that it is ready: a guest that sets up its serial port drops
 * what has already arrived there.
 *
 * Invariant: each request settles exactly once, and after `close` none is pending.
 */

import { type Patience, waitFor } from "./deadline.ts";
import { ControlReplyError, tailPhrase, VmmError } from "./errors.ts";
import { formatJson, isJsonObject, type JsonObject, type JsonValue, parseJson } from "./json.ts";
import { LineSplitter } from "./line-splitter.ts";

/** A request is a method and a few parameters; the largest is a script of the user's. */
export const MAX_REQUEST_BYTES = 256 * 1024;
/** A guest's status is a few KiB; a reply may carry the result of a user's script. */
export const MAX_REPLY_BYTES = 1024 * 1024;
/** Lines that are no replies, kept for a look at what the guest says. */
export const MAX_STRAY_LINES = 64;
/** Replies without an id, kept until they are asked for. */
export const MAX_UNATTRIBUTED_REPLIES = 64;
const REQUEST_MS = 10_000;
const LINE_END = 0x0a;

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

/** A reply whose id is null: the guest could not tell which request it belongs to. */
export interface UnattributedReply {
  readonly rpcCode: number;
  readonly rpcMessage: string;
  readonly detail: JsonValue | undefined;
}

export class ControlClient {
  readonly #options: ControlOptions;
  readonly #splitter: LineSplitter;
  readonly #pending = new Map<number, Pending>();
  readonly #unattributed: UnattributedReply[] = [];
  readonly #strayLines: string[] = [];
  #unattributedArrived = new Set<() => void>();
  #closing = new Set<(reason: Error) => void>();
  #closed: Error | undefined;
  #nextId = 1;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#splitter = new LineSplitter({
      maxBytes: MAX_REPLY_BYTES,
      onLine: (line) => this.#receiveLine(line),
      onOversize: (head) => this.#stray(`${head.slice(0, 80)}... (over ${MAX_REPLY_BYTES} bytes)`),
    });
  }

  /** The last lines from the guest that were no replies, oldest first, as a copy. */
  get strayLines(): string[] {
    return [...this.#strayLines];
  }

  /**
   * Asks the guest and returns the `result` of its reply. Integers beyond 2^53 - 1 are bigints.
   * Rejects with ControlReplyError, `option` (request too long), `exited`, `protocol` or `timeout`
   * (default: 10 s); a request that was given up may still take effect in the guest.
   */
  request(
    options: { method: string; params?: JsonObject | readonly JsonValue[] } & Patience,
  ): Promise<JsonValue> {
    const { method, params } = options;
    return waitFor<JsonValue>({
      what: `the guest's reply to ${method}`,
      patience: options,
      defaultMs: REQUEST_MS,
      seen: () => tailPhrase(this.#options.logTail?.() ?? []),
      begin: (resolve, reject) => {
        const id = this.#nextId++;
        this.sendLine({ line: formatJson({ jsonrpc: "2.0", id, method, params }) });
        this.#pending.set(id, { method, resolve, reject });
        return () => this.#pending.delete(id);
      },
    });
  }

  /**
   * Sends `line` as it is, with a line end: to test how a guest takes what is no request at all.
   * Bytes need not be UTF-8.
   * Throws `option` if it is too long (allowOversize: to test just that) and `exited` at the end.
   */
  sendLine({
    line,
    allowOversize = false,
  }: {
    line: string | Uint8Array;
    allowOversize?: boolean;
  }): void {
    if (this.#closed !== undefined) throw this.#closed;
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
    this.#options.send(bytes);
  }

  /** The oldest reply without an id that was not yet taken. Default time limit: 10 s. */
  takeUnattributed(options: Patience = {}): Promise<UnattributedReply> {
    return waitFor<UnattributedReply>({
      what: "a reply of the guest without an id",
      patience: options,
      defaultMs: REQUEST_MS,
      seen: () => tailPhrase(this.#options.logTail?.() ?? []),
      begin: (resolve, reject) => {
        const look = (): void => {
          const reply = this.#unattributed.shift();
          if (reply !== undefined) resolve(reply);
          else if (this.#closed !== undefined) reject(this.#closed);
          else this.#unattributedArrived.add(look);
        };
        look();
        this.#closing.add(reject);
        return () => {
          this.#unattributedArrived.delete(look);
          this.#closing.delete(reject);
        };
      },
    });
  }

  /** Bytes from the guest. For launchers. */
  receive(bytes: Uint8Array): void {
    if (this.#closed === undefined) this.#splitter.push(bytes);
  }

  /** The guest is gone: pending requests reject with `reason`. For launchers. */
  close(reason: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    const rejects = [...[...this.#pending.values()].map(({ reject }) => reject), ...this.#closing];
    this.#pending.clear();
    this.#closing.clear();
    for (const reject of rejects) reject(reason);
  }

  #receiveLine(line: string): void {
    if (line === "") return;
    let reply: JsonValue;
    try {
      reply = parseJson(line);
    } catch {
      this.#stray(line);
      return;
    }
    if (!isReply(reply)) this.#stray(line);
    else if (reply.id === null) this.#keepUnattributed(reply, line);
    else this.#settle(reply, line);
  }

  #settle(reply: JsonObject, line: string): void {
    const pending = typeof reply.id === "number" ? this.#pending.get(reply.id) : undefined;
    if (pending === undefined || typeof reply.id !== "number") {
      this.#stray(line); // The late reply to a request that was given up, or an invented id.
      return;
    }
    this.#pending.delete(reply.id);
    if (reply.result !== undefined) {
      pending.resolve(reply.result);
      return;
    }
    pending.reject(new ControlReplyError({ method: pending.method, ...rpcError(reply) }));
  }

  #keepUnattributed(reply: JsonObject, line: string): void {
    if (!isJsonObject(reply.error)) {
      this.#stray(line); // A result must say whose it is (JSON-RPC 2.0, 5).
      return;
    }
    this.#unattributed.push(rpcError(reply));
    if (this.#unattributed.length > MAX_UNATTRIBUTED_REPLIES) this.#unattributed.shift();
    const waiting = this.#unattributedArrived;
    this.#unattributedArrived = new Set();
    for (const look of waiting) look();
  }

  #stray(line: string): void {
    this.#strayLines.push(line);
    if (this.#strayLines.length > MAX_STRAY_LINES) this.#strayLines.shift();
  }
}

/** A reply has a result or an error, never both (JSON-RPC 2.0, 5). */
function isReply(value: JsonValue): value is JsonObject {
  if (!isJsonObject(value) || value.jsonrpc !== "2.0") return false;
  const hasError = "error" in value;
  return "result" in value !== hasError && (!hasError || isJsonObject(value.error));
}

function rpcError(reply: JsonObject): UnattributedReply {
  const error = isJsonObject(reply.error) ? reply.error : {};
  return {
    rpcCode: Number(error.code ?? 0),
    rpcMessage: String(error.message ?? ""),
    detail: error.data,
  };
}
