/**
 * The server of the control channel: JSON-RPC 2.0, one object a line. Every line that is no
 * notification gets exactly one reply, whatever is in it.
 */

/** The standard's error codes (JSON-RPC 2.0, 5.1), and one of this server's own. */
export const RPC_ERROR = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
  /** The request makes sense, but cannot be done now. */
  refused: -32000,
} as const;

/** The longest request, in bytes: it may carry a script. */
export const REQUEST_BYTES_MAX = 256 * 1024;
/** Pieces of a line before they are joined: a serial port hands over few bytes at once. */
const PARTS_MAX = 1024;

/** A method throws it to make the reply an error. */
export class RpcError extends Error {
  readonly rpcCode: number;
  readonly data: unknown;

  constructor(rpcCode: number, message: string, data?: unknown) {
    super(message);
    this.rpcCode = rpcCode;
    this.data = data;
  }
}

/** A method throws it to end the guest as an uncaught error does, without a reply. */
export class FatalError extends Error {}

/** Parameters by name; a method checks what it takes out. */
export type RpcParams = Readonly<Record<string, unknown>>;
/** Returns the result of the reply. */
export type RpcMethod = (params: RpcParams) => unknown;

/** Methods of somebody else, who answers later. */
export interface LaterMethods {
  readonly names: readonly string[];
  serves(method: string): boolean;
  /** `done` gets a function that returns the result, or throws an RpcError. */
  call(method: string, params: RpcParams, done: (answer: () => unknown) => void): void;
}

export interface JsonRpcServerOptions {
  readonly methods: Readonly<Record<string, RpcMethod>>;
  readonly later?: LaterMethods;
  /** Sends one reply, line end included. */
  send(line: string): void;
  /** Whether a line that is no request gets no reply; `parsed` is undefined where it is no JSON. */
  ignores?(line: string, parsed: unknown): boolean;
}

/** The result of a call that is answered later. */
const LATER = Symbol("later");

export class JsonRpcServer {
  private readonly options: JsonRpcServerOptions;
  /** The line so far, in pieces: joining them at each one would copy a long line many times. */
  private parts: string[] = [];
  private length = 0;

  constructor(options: JsonRpcServerOptions) {
    this.options = options;
  }

  /**
   * Takes the bytes that arrived: UTF-8, each byte as one character below U+0100. True: a line
   * ended, so a method may have changed something.
   */
  receive(bytes: string): boolean {
    let start = 0;
    for (let end = bytes.indexOf("\n"); end >= 0; end = bytes.indexOf("\n", start)) {
      this.append(bytes.slice(start, end));
      this.endLine();
      start = end + 1;
    }
    this.append(bytes.slice(start));
    return start > 0;
  }

  private append(part: string): void {
    this.length += part.length;
    if (this.length > REQUEST_BYTES_MAX) this.parts = [];
    else this.parts.push(part);
    if (this.parts.length > PARTS_MAX) this.parts = [this.parts.join("")];
  }

  private endLine(): void {
    const line = this.parts.join("");
    const oversized = this.length > REQUEST_BYTES_MAX;
    this.parts = [];
    this.length = 0;
    if (oversized) {
      const seen = `a line of more than ${REQUEST_BYTES_MAX} bytes`;
      this.replyError(null, new RpcError(RPC_ERROR.request, "Invalid Request", seen));
    } else if (line.trim() !== "") this.handle(line);
  }

  private handle(line: string): void {
    let request: unknown;
    try {
      request = JSON.parse(decodeUtf8(line));
    } catch (error) {
      if (this.options.ignores?.(line, undefined)) return;
      this.replyError(null, new RpcError(RPC_ERROR.parse, "Parse error", messageOf(error)));
      return;
    }
    const refusal = checkRequest(request);
    if (refusal !== undefined) {
      if (this.options.ignores?.(line, request)) return;
      this.replyError(idOf(request), new RpcError(RPC_ERROR.request, "Invalid Request", refusal));
      return;
    }
    this.call(request as Request);
  }

  /** Tells the host something that it has not asked for: a notification of JSON-RPC. */
  notify(method: string, params: RpcParams): void {
    this.write({ jsonrpc: "2.0", method, params });
  }

  private call(request: Request): void {
    const { method, params = {} } = request;
    const { methods, later } = this.options;
    this.answer(request, () => {
      const known = Object.hasOwn(methods, method);
      const run = known ? methods[method] : undefined;
      if (run !== undefined) return run(params);
      if (later?.serves(method)) {
        later.call(method, params, (answer) => this.answer(request, answer));
        return LATER;
      }
      const names = [...Object.keys(methods), ...(later?.names ?? [])].join(", ");
      throw new RpcError(RPC_ERROR.method, "Method not found", `${method}; there are ${names}`);
    });
  }

  private answer({ id }: Request, run: () => unknown): void {
    let result: unknown;
    try {
      result = run();
    } catch (error) {
      if (error instanceof FatalError) throw error;
      if (id !== undefined) this.replyError(id, error);
      return;
    }
    if (id !== undefined && result !== LATER) {
      this.write({ jsonrpc: "2.0", id, result: result ?? null });
    }
  }

  private replyError(id: RpcId, error: unknown): void {
    const known = error instanceof RpcError;
    const message = known ? error.message : "Internal error";
    const data = known ? error.data : messageOf(error);
    const code = known ? error.rpcCode : RPC_ERROR.internal;
    const reported = { code, message, ...(data !== undefined && { data }) };
    this.write({ jsonrpc: "2.0", id, error: reported });
  }

  private write(message: object): void {
    // ASCII alone, which every serial line and terminal passes unchanged.
    const text = JSON.stringify(message).replace(/[\u007f-\uffff]/g, (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    });
    this.options.send(`${text}\n`);
  }
}

type RpcId = string | number | null;

interface Request {
  readonly id?: RpcId;
  readonly method: string;
  readonly params?: RpcParams;
}

/** Whether what a line holds is a reply to somebody's request. */
export function isReply(value: unknown): boolean {
  if (typeof value !== "object" || value === null || "method" in value) return false;
  return "result" in value || "error" in value;
}

/** Returns what is wrong with a request, or undefined. */
function checkRequest(request: unknown): string | undefined {
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    return "one object a line, no batches";
  }
  const { jsonrpc, id, method, params } = request as Record<string, unknown>;
  if (jsonrpc !== "2.0") return 'jsonrpc must be "2.0"';
  if (typeof method !== "string") return "method must be a string";
  if (!isId(id) && id !== undefined) return "id must be a string, a number or null";
  const named = typeof params === "object" && params !== null && !Array.isArray(params);
  return params === undefined || named ? undefined : "params must be an object";
}

function isId(id: unknown): id is RpcId {
  return id === null || typeof id === "string" || typeof id === "number";
}

function idOf(request: unknown): RpcId {
  if (typeof request !== "object" || request === null) return null;
  const { id } = request as { readonly id?: unknown };
  return isId(id) ? id : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** @throws URIError unless the bytes are UTF-8. */
function decodeUtf8(bytes: string): string {
  return decodeURIComponent(
    bytes.replace(/[%\u0080-\u00ff]/g, (byte) => {
      return `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
    }),
  );
}
