/**
 * The driver's end of what the user's program serves on the control channel: requests go to the
 * program as messages, and its answers and notifications come back.
 *
 *   from the program   { serve }, { notify, value }, { answer, result } or { answer, error },
 *                      { shortage }, { gave }
 *   to the program     { call, method, params }, { refused }, { press }
 *
 * The other end is runtime/guest/channel.ts.
 */
import { RPC_ERROR, RpcError, type RpcParams } from "./json-rpc-server.ts";
import type { Machine } from "./machine.ts";

/** Requests that may wait for an answer at once: there must be room for all answers on the way. */
const PENDING_MAX = 16;

/** What ends a request: a result, or a throw of an RpcError. */
export type ProgramAnswer = () => unknown;

export interface ProgramChannelOptions {
  readonly machine: Pick<Machine, "programSend" | "programReceive">;
  /** The driver's own methods: the program cannot serve these names. */
  readonly reserved: readonly string[];
  /** Sends a notification to the host. */
  notify(name: string, value: unknown): void;
  /** The program lacks so many pages. It waits meanwhile, so this may take a bounded time. */
  shortage(pages: number): void;
}

/** A message of the program. This package's own module makes it: its shape is not checked. */
type Message =
  | { readonly serve: string }
  | { readonly notify: string; readonly value: unknown }
  | { readonly shortage: number }
  | { readonly gave: true }
  | { readonly answer: number; readonly result: unknown }
  | {
      readonly answer: number;
      readonly error: { readonly code: number; readonly message: string; readonly data?: unknown };
    };

export class ProgramChannel {
  private readonly options: ProgramChannelOptions;
  private readonly served = new Set<string>();
  private readonly pending = new Map<number, (answer: ProgramAnswer) => void>();
  private nextCall = 1;
  private isPressed = false;

  constructor(options: ProgramChannelOptions) {
    this.options = options;
  }

  /** The methods that the program serves. */
  get names(): readonly string[] {
    return [...this.served];
  }

  serves(method: string): boolean {
    return this.served.has(method);
  }

  /** Passes a request on; `done` is called with the answer, which may never come. */
  call(method: string, params: RpcParams, done: (answer: ProgramAnswer) => void): void {
    if (this.pending.size >= PENDING_MAX) {
      const seen = `${PENDING_MAX} requests wait for the program`;
      throw new RpcError(RPC_ERROR.refused, "too many requests at once", seen);
    }
    const call = this.nextCall++;
    this.options.machine.programSend(JSON.stringify({ call, method, params }));
    this.pending.set(call, done);
  }

  /** Asks for so many bytes, unless the program has not yet given what it was asked for last. */
  press(bytes: number): void {
    if (this.isPressed) return;
    this.isPressed = true;
    this.options.machine.programSend(JSON.stringify({ press: bytes }));
  }

  /** Takes what the program has sent. */
  receive(): void {
    const { machine } = this.options;
    for (let text = machine.programReceive(); text; text = machine.programReceive()) {
      this.take(JSON.parse(text) as Message);
    }
  }

  private take(message: Message): void {
    const { machine, reserved, notify, shortage } = this.options;
    if ("notify" in message) notify(message.notify, message.value);
    else if ("shortage" in message) shortage(message.shortage);
    else if ("gave" in message) this.isPressed = false;
    else if ("answer" in message) {
      const done = this.pending.get(message.answer);
      this.pending.delete(message.answer);
      done?.(() => {
        if (!("error" in message)) return message.result;
        const { code, message: text, data } = message.error;
        throw new RpcError(code, text, data);
      });
    } else if (reserved.includes(message.serve)) {
      machine.programSend(JSON.stringify({ refused: message.serve }));
    } else this.served.add(message.serve);
  }
}
