/** The guest's log: what it prints on COM1. */

import { type Deadline, waitFor } from "./deadline.ts";
import { tailPhrase } from "./errors.ts";
import { LineSplitter } from "./line-splitter.ts";

/** A guest that prints without end must not exhaust the host. 64 Ki lines hold hours of a boot. */
const MAX_LOG_LINES = 65_536;
/** Longer lines are cut. A guest's line is rarely wider than a screen. */
export const MAX_LOG_LINE_BYTES = 4_096;
/** How many lines an error quotes. */
const TAIL_LINES = 8;
const WAIT_FOR_LINE_MS = 30_000;

/** A line of the guest's log. */
export interface LogLine {
  /** Counted from 0 in the order of arrival. */
  readonly number: number;
  /** Without its line end. */
  readonly text: string;
}

/**
 * The lines that the guest printed, readable while they grow. The last 65,536 lines are kept.
 *
 * A line keeps its number when older lines are dropped and when the machine is reset. The lines
 * from `firstNumber` to `nextNumber - 1` can be read.
 */
export class GuestLog implements AsyncIterable<string> {
  private readonly splitter: LineSplitter;
  private readonly maxLines: number;
  private kept: string[] = [];
  private first = 0;
  private closed: Error | undefined;
  /** Called, and forgotten, when a line arrives or the log closes. */
  private waiting = new Set<() => void>();

  constructor({ maxLines = MAX_LOG_LINES }: { maxLines?: number } = {}) {
    this.maxLines = maxLines;
    this.splitter = new LineSplitter({
      maxBytes: MAX_LOG_LINE_BYTES,
      onLine: (line) => this.append(line),
      onOversize: (head) => this.append(head),
    });
  }

  /** Number of the oldest line that is still kept; more than 0 once lines were dropped. */
  get firstNumber(): number {
    return this.first;
  }

  /** The number that the next line will have: pass it as `from` to wait for later lines only. */
  get nextNumber(): number {
    return this.first + this.kept.length;
  }

  /** The lines kept, oldest first, as a copy. */
  get lines(): string[] {
    return [...this.kept];
  }

  /** The unfinished line: what the guest printed since its last line end. */
  get partial(): string {
    return this.splitter.partial;
  }

  /** The last lines, and the unfinished one if there is any: for error messages. */
  tail(count = TAIL_LINES): string[] {
    const { partial } = this;
    const lines = this.kept.slice(-count);
    return partial === "" ? lines : [...lines, partial];
  }

  /** Bytes from the guest. For launchers. */
  push(bytes: Uint8Array): void {
    this.splitter.push(bytes);
  }

  /** The machine has ended: waits for a line reject with `reason`. For launchers. */
  close(reason: Error): void {
    if (this.closed !== undefined) return;
    if (this.partial !== "") this.push(Uint8Array.of(0x0a));
    this.closed = reason;
    this.wake();
  }

  /**
   * Returns the first line that matches, of those from number `from` on (default: all that are
   * kept) and those to come. A string matches a line that contains it.
   * Rejects with `exited`, `timeout` (default: 30 s) or the signal's reason.
   */
  waitForLine(
    options: { pattern: string | RegExp; from?: number } & Deadline,
  ): Promise<LogLine & { readonly match: readonly string[] }> {
    const { pattern } = options;
    let next = Math.max(options.from ?? 0, this.first);
    return waitFor({
      what: `the guest's log line ${pattern instanceof RegExp ? pattern : JSON.stringify(pattern)}`,
      deadline: options,
      defaultMs: WAIT_FOR_LINE_MS,
      seen: () => tailPhrase(this.tail()),
      begin: (resolve, reject) => {
        const look = (): void => {
          for (next = Math.max(next, this.first); next < this.nextNumber; next += 1) {
            const text = this.kept[next - this.first] ?? "";
            const match = matchLine(pattern, text);
            if (match === undefined) continue;
            resolve({ number: next, text, match });
            return;
          }
          if (this.closed !== undefined) reject(this.closed);
          else this.waiting.add(look);
        };
        look();
        return () => this.waiting.delete(look);
      },
    });
  }

  /** Iterates over the lines kept and the lines to come; ends when the machine has ended. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    let next = this.first;
    for (;;) {
      next = Math.max(next, this.first);
      const text = this.kept[next - this.first];
      if (text !== undefined) {
        next += 1;
        yield text;
      } else if (this.closed !== undefined) {
        return;
      } else {
        await new Promise<void>((resolve) => this.waiting.add(resolve));
      }
    }
  }

  private append(line: string): void {
    this.kept.push(line);
    // Dropping an eighth at a time keeps the cost per line constant.
    if (this.kept.length > this.maxLines) {
      const dropped = Math.max(1, this.maxLines >> 3);
      this.kept = this.kept.slice(dropped);
      this.first += dropped;
    }
    this.wake();
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = new Set();
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
