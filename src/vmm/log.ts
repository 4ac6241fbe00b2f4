/**
 * The guest's log: every line that it printed on COM1, kept up to a bound, readable while it grows.
 *
 * It knows nothing of what the guest prints. Lines are numbered from 0 in the order of their
 * arrival, and a number never changes its meaning: not when old lines are dropped, not at a reset.
 *
 * Invariant: `firstNumber <= n < nextNumber` holds exactly for the lines that can still be read.
 */

import { type Patience, waitFor } from "./deadline.ts";
import { tailPhrase } from "./errors.ts";
import { LineSplitter } from "./line-splitter.ts";

/** A guest that prints without end must not exhaust the host. 64 Ki lines hold hours of a boot. */
export const MAX_LOG_LINES = 65_536;
/** Longer lines are cut: a console line of a guest is rarely longer than a screen. */
export const MAX_LOG_LINE_BYTES = 4_096;
/** How many lines an error quotes. */
const TAIL_LINES = 8;
const WAIT_FOR_LINE_MS = 30_000;

export interface LogLine {
  readonly number: number;
  readonly text: string;
}

export class GuestLog implements AsyncIterable<string> {
  readonly #splitter: LineSplitter;
  readonly #maxLines: number;
  #lines: string[] = [];
  #firstNumber = 0;
  #closed: Error | undefined;
  /** Called, and forgotten, when a line arrives or the log closes. */
  #waiting = new Set<() => void>();

  constructor({ maxLines = MAX_LOG_LINES }: { maxLines?: number } = {}) {
    this.#maxLines = maxLines;
    this.#splitter = new LineSplitter({
      maxBytes: MAX_LOG_LINE_BYTES,
      onLine: (line) => this.#append(line),
      onOversize: (head) => this.#append(head),
    });
  }

  /** Number of the oldest line that is still kept; more than 0 once lines were dropped. */
  get firstNumber(): number {
    return this.#firstNumber;
  }

  /** Number that the next line will have: remember it to look only at what comes later. */
  get nextNumber(): number {
    return this.#firstNumber + this.#lines.length;
  }

  /** The lines kept, oldest first, as a copy. */
  get lines(): string[] {
    return [...this.#lines];
  }

  /** What the guest printed since its last line end. */
  get partial(): string {
    return this.#splitter.partial;
  }

  /** The last lines, and the unfinished one if there is any: for error messages. */
  tail(count = TAIL_LINES): string[] {
    const { partial } = this;
    const lines = this.#lines.slice(-count);
    return partial === "" ? lines : [...lines, partial];
  }

  /** Bytes from the guest. For launchers. */
  push(bytes: Uint8Array): void {
    this.#splitter.push(bytes);
  }

  /** Nothing more will come; whoever waits for a line learns `reason`. For launchers. */
  close(reason: Error): void {
    if (this.#closed !== undefined) return;
    if (this.partial !== "") this.push(Uint8Array.of(0x0a));
    this.#closed = reason;
    this.#wake();
  }

  /**
   * The first line that matches, among those kept since number `from` (default: all) and those to
   * come. A string matches a line that contains it. Default time limit: 30 s.
   */
  waitForLine(
    options: { pattern: string | RegExp; from?: number } & Patience,
  ): Promise<LogLine & { readonly match: readonly string[] }> {
    const { pattern } = options;
    let next = Math.max(options.from ?? 0, this.#firstNumber);
    return waitFor({
      what: `the guest's log line ${pattern instanceof RegExp ? pattern : JSON.stringify(pattern)}`,
      patience: options,
      defaultMs: WAIT_FOR_LINE_MS,
      seen: () => tailPhrase(this.tail()),
      begin: (resolve, reject) => {
        const look = (): void => {
          for (next = Math.max(next, this.#firstNumber); next < this.nextNumber; next += 1) {
            const text = this.#lines[next - this.#firstNumber] ?? "";
            const match = matchLine(pattern, text);
            if (match === undefined) continue;
            resolve({ number: next, text, match });
            return;
          }
          if (this.#closed !== undefined) reject(this.#closed);
          else this.#waiting.add(look);
        };
        look();
        return () => this.#waiting.delete(look);
      },
    });
  }

  /** Every line kept and every line to come; ends when the machine has ended. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    let next = this.#firstNumber;
    for (;;) {
      next = Math.max(next, this.#firstNumber);
      const text = this.#lines[next - this.#firstNumber];
      if (text !== undefined) {
        next += 1;
        yield text;
      } else if (this.#closed !== undefined) {
        return;
      } else {
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    }
  }

  #append(line: string): void {
    this.#lines.push(line);
    // Dropping an eighth at a time keeps the cost per line constant.
    if (this.#lines.length > this.#maxLines) {
      const dropped = Math.max(1, this.#maxLines >> 3);
      this.#lines = this.#lines.slice(dropped);
      this.#firstNumber += dropped;
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }
}

function matchLine(pattern: string | RegExp, text: string): readonly string[] | undefined {
  if (typeof pattern === "string") return text.includes(pattern) ? [pattern] : undefined;
  // A sticky or global expression would remember its place from line to line.
  pattern.lastIndex = 0;
  const match = pattern.exec(text);
  return match === null ? undefined : [...match];
}
