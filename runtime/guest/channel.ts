/**
 * The program's end of the control channel: methods that the host can call, and notifications.
 *
 * The driver owns the channel. It passes requests on as messages, and sends the answers.
 */
import { host, isGuest } from "./host.ts";
import { listen, stay } from "./loop.ts";
import { press } from "./memory.ts";

/** Parameters of a request by name, as JSON has them. */
export type ServeParams = Readonly<Record<string, unknown>>;
/** Returns the result of a request, which becomes JSON, or a promise of it. */
export type ServeHandler = (params: ServeParams) => unknown;

/**
 * A handler throws it to answer with an error of its own: `code` is JSON-RPC's number, such as
 * -32602 for wrong parameters. Any other error is answered with -32603 and its message.
 */
export class ServeError extends Error {
  override readonly name = "ServeError";
  readonly code: number;
  readonly data: unknown;

  constructor(parts: {
    readonly code?: number;
    readonly message: string;
    readonly data?: unknown;
  }) {
    super(parts.message);
    this.code = parts.code ?? REFUSED;
    this.data = parts.data;
  }
}

const REFUSED = -32000;
const INTERNAL = -32603;

const handlers = new Map<string, ServeHandler>();

interface Request {
  readonly call: number;
  readonly method: string;
  readonly params: ServeParams;
}

/**
 * A message from the driver: a request for one of the handlers, the refusal of a name, or that so
 * many bytes are wanted.
 */
type Incoming = Request | { readonly refused: string } | { readonly press: number };

if (isGuest) listen(receive);

/**
 * Adds a method to the control channel: from now on the host's `control.request({ method: name })`
 * calls `handler`. A name that is served already gets the new handler. A program that serves runs
 * until it calls `exit`.
 * @throws TypeError for a name that is no text, or a handler that is no function.
 */
export function serve(name: string, handler: ServeHandler): void {
  if (typeof name !== "string" || name === "") throw new TypeError("serve: a name");
  if (typeof handler !== "function") throw new TypeError("serve: a function");
  handlers.set(name, handler);
  stay();
  host.send(JSON.stringify({ serve: name }));
}

/**
 * Sends a notification to the host, which gets it from `control.notifications()`. `value` becomes
 * JSON. Nobody answers, and nobody may be listening.
 * @throws TypeError for a name that is no text, or a value that JSON has no form for.
 */
export function notify(name: string, value: unknown = null): void {
  if (typeof name !== "string" || name === "") throw new TypeError("notify: a name");
  host.send(JSON.stringify({ notify: name, value }));
}

function receive(text: string): void {
  const message = JSON.parse(text) as Incoming;
  if ("refused" in message) {
    throw new Error(`serve: "${message.refused}" is a method of the driver: take another name`);
  }
  if ("press" in message) {
    press({ bytes: message.press, urgency: "target" });
    host.send(JSON.stringify({ gave: true }));
  } else void answer(message);
}

async function answer({ call, method, params }: Request): Promise<void> {
  let reply: object;
  try {
    const result = await handlers.get(method)?.(params);
    reply = { answer: call, result: result ?? null };
    // What JSON cannot carry is the handler's error, so it is found here.
    JSON.stringify(reply);
  } catch (error) {
    const isServe = error instanceof ServeError;
    const message = error instanceof Error ? error.message : String(error);
    const code = isServe ? error.code : INTERNAL;
    const data = isServe ? error.data : undefined;
    reply = { answer: call, error: { code, message, ...(data === undefined ? {} : { data }) } };
  }
  host.send(JSON.stringify(reply));
}
