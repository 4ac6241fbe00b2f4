/**
 * The two outputs of the command line: their colours, and a last line that can be redrawn.
 *
 * Output that goes to a file or a pipe has neither escape sequences nor carriage returns, because
 * `Screen` is the only one that writes them.
 */
import { stripVTControlCharacters, styleText } from "node:util";
import type { Paint, Style } from "../text/style.ts";

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Characters in a line of the terminal. */
  readonly columns: number;
}

export interface Io {
  readonly out: Output;
  readonly err: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** The width of a label before a line. */
export const LABEL_CHARS = 9;

export function labelled(paint: Paint, label: string, text: string): string {
  return `${paint("bold", label.padEnd(LABEL_CHARS))}${text}`;
}

/** Back to the line's start, and clear to its end. */
const CLEAR_LINE = "\r\x1b[K";

/** Returns true where a line can be redrawn and somebody looks at it. */
export function isInteractive(output: Output, { CI, TERM }: Io["environment"]): boolean {
  return output.isTerminal && !CI && TERM !== "dumb";
}

/** Returns true where colours are welcome (NO_COLOR: see no-color.org). */
export function isColoured(output: Output, environment: Io["environment"]): boolean {
  return isInteractive(output, environment) && !environment.NO_COLOR;
}

/** Returns true where the terminal is likely to show more than ASCII. */
export function supportsUnicode({ LC_ALL, LC_CTYPE, LANG }: Io["environment"]): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
}

/** One output with a last line that may be redrawn. */
export class Screen {
  readonly interactive: boolean;
  private readonly coloured: boolean;
  private readonly output: Output;
  private drawn = false;

  constructor(output: Output, environment: Io["environment"]) {
    this.output = output;
    this.interactive = isInteractive(output, environment);
    this.coloured = isColoured(output, environment);
  }

  get columns(): number {
    return this.output.columns;
  }

  style(style: Style, text: string): string {
    return this.coloured ? styleText(style, text) : text;
  }

  /** `style` as a function on its own. */
  get paint(): Paint {
    return (style, text) => this.style(style, text);
  }

  /** Prints a line that stays. */
  line(text = ""): void {
    this.clear();
    this.output.write(`${text}\n`);
  }

  /**
   * Redraws the last line, without a line end; does nothing where that is not welcome. A text that
   * is wider than the terminal is cut, for a line that wraps cannot be taken away.
   */
  draw(text: string): void {
    if (!this.interactive) return;
    // One column stays empty: writing the last one makes some terminals wrap.
    const columns = Math.max(0, this.columns - 1);
    const plain = stripVTControlCharacters(text);
    const fits = plain.length <= columns;
    this.output.write(`${CLEAR_LINE}${fits ? text : plain.slice(0, columns)}`);
    this.drawn = true;
  }

  /** Removes the redrawn line. */
  clear(): void {
    if (this.drawn) this.output.write(CLEAR_LINE);
    this.drawn = false;
  }
}
