/**
 * Where the command line's words go: two outputs, their colours, and a line that can be redrawn.
 *
 * It must not know what is printed, and touches no global: tests hand in outputs of their own.
 * Invariant: an output that is no terminal never gets an escape sequence or a carriage return.
 */
import { styleText } from "node:util";
import type { Paint, Style } from "../text/style.ts";

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Characters in a line, when it is a terminal. */
  readonly columns: number;
}

export interface Io {
  readonly out: Output;
  readonly err: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** Back to the line's start, and clear to its end. */
const CLEAR_LINE = "\r\x1b[K";

/** True where colours and redrawing are welcome: see no-color.org for the first of the reasons. */
export function isLively(output: Output, environment: Io["environment"]): boolean {
  const { NO_COLOR, CI, TERM } = environment;
  return output.isTerminal && !NO_COLOR && !CI && TERM !== "dumb";
}

/** True where the terminal is likely to show more than ASCII. */
export function speaksUnicode({ LC_ALL, LC_CTYPE, LANG }: Io["environment"]): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
}

/** One output with a last line that may be redrawn. */
export class Screen {
  readonly lively: boolean;
  readonly #output: Output;
  #drawn = false;

  constructor(output: Output, environment: Io["environment"]) {
    this.#output = output;
    this.lively = isLively(output, environment);
  }

  get columns(): number {
    return this.#output.columns;
  }

  style(style: Style, text: string): string {
    return this.lively ? styleText(style, text) : text;
  }

  /** The same as a function of its own, for whoever makes lines. */
  get paint(): Paint {
    return (style, text) => this.style(style, text);
  }

  /** Prints a line for good. */
  line(text = ""): void {
    this.clear();
    this.#output.write(`${text}\n`);
  }

  /** Draws the last line anew, without an end; nothing where redrawing is not welcome. */
  draw(text: string): void {
    if (!this.lively) return;
    this.#output.write(`${CLEAR_LINE}${text}`);
    this.#drawn = true;
  }

  /** Takes the redrawn line away. */
  clear(): void {
    if (this.#drawn) this.#output.write(CLEAR_LINE);
    this.#drawn = false;
  }
}
