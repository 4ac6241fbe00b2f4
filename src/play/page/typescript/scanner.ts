/**
 * Reads a script token by token, and keeps what is to be cut out of it. It can go back: whether
 * `(a)` begins an arrow function shows only later.
 */

export type TokenKind = "name" | "number" | "string" | "template" | "sign" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Whether a line ends between the token before it and this one. */
  readonly onNewLine: boolean;
}

/** The script is not what was expected at this place. */
export class Mismatch extends Error {}

/** A part that is cut: blanks take its place; lines stay, unless it has to be on one. */
interface Cut {
  readonly start: number;
  readonly end: number;
  readonly first: string;
  readonly keepsLines: boolean;
}

const BLANK = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const NAME = /#?[\p{ID_Start}$_][\p{ID_Continue}$]*/uy;
const NUMBER = /0[xob][\da-f_]+n?|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:e[+-]?\d+)?n?/iy;
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
/** All signs of more than one letter. */
const SIGNS =
  ">>>= ... === !== **= <<= >>= >>> &&= ||= ??= => == != <= >= && || ?? ?. ++ -- " +
  "+= -= *= /= %= &= |= ^= << >> **";
const escaped = SIGNS.split(" ").map((sign) => sign.replace(/[.*+?^|]/g, "\\$&"));
const LETTER = "[{}()[\\];,<>+\\-*/%&|^!~?:=.@`]";
/** In `a?.5:b` no sign ends with the point. */
const SIGN = new RegExp(
  [...escaped.map((sign) => (sign === "\\?\\." ? `${sign}(?!\\d)` : sign)), LETTER].join("|"),
  "y",
);
const REGULAR = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const TEXT_OF_TEMPLATE = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;

export class Scanner {
  private readonly source: string;
  private readonly cuts: Cut[] = [];
  private known: Token;
  /** The end of the token before the present one. */
  lastEnd = 0;

  constructor(source: string) {
    this.source = source;
    this.known = this.read(0);
  }

  get token(): Token {
    return this.known;
  }

  /** The token after the present one. */
  get next(): Token {
    return this.read(this.known.end);
  }

  is(text: string): boolean {
    return this.known.text === text && this.known.kind !== "string";
  }

  advance(): Token {
    const token = this.known;
    this.lastEnd = token.end;
    this.known = this.read(token.end);
    return token;
  }

  eat(text: string): boolean {
    if (!this.is(text)) return false;
    this.advance();
    return true;
  }

  /** Eats one letter, also where more of them are a sign of their own, as in `>>`. */
  eatLetter(letter: string): boolean {
    const { start } = this.known;
    if (this.known.kind !== "sign" || this.source[start] !== letter) return false;
    this.lastEnd = start + 1;
    this.known = this.read(start + 1);
    return true;
  }

  /** @throws Mismatch where something else stands. */
  need(text: string): void {
    if (!this.eat(text)) throw this.mismatch(`"${text}"`);
  }

  needLetter(letter: string): void {
    if (!this.eatLetter(letter)) throw this.mismatch(`"${letter}"`);
  }

  needName(): Token {
    if (this.known.kind !== "name") throw this.mismatch("a name");
    return this.advance();
  }

  mismatch(wanted: string): Mismatch {
    return new Mismatch(`${this.place(this.known.start)}: ${wanted} is missing`);
  }

  /** Where an offset lies, for people. */
  place(offset: number): string {
    return `line ${this.source.slice(0, offset).split("\n").length}`;
  }

  /** Does it, or undoes it when the script is something else. Returns whether it was done. */
  attempt(act: () => void): boolean {
    const { known, lastEnd } = this;
    const { length } = this.cuts;
    try {
      act();
      return true;
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      this.known = known;
      this.lastEnd = lastEnd;
      this.cuts.length = length;
      return false;
    }
  }

  /** Cuts from an offset to the end of the token before. `first` takes the first letter's place. */
  cut(start: number, { first = " ", keepsLines = true } = {}): void {
    if (this.lastEnd > start) this.cuts.push({ start, end: this.lastEnd, first, keepsLines });
  }

  /** Skips from an opening bracket to the one that closes it. */
  skipBrackets(): void {
    let depth = 0;
    do {
      if (this.known.kind === "end") throw this.mismatch("a closing bracket");
      if (this.is("`")) this.template(() => this.skipTo("}"));
      else if (/^[([{]$/.test(this.advance().text)) depth += 1;
      else if (/^[)\]}]$/.test(this.source.slice(this.lastEnd - 1, this.lastEnd))) depth -= 1;
    } while (depth > 0);
  }

  /** Reads a template; `inside` reads what stands in its braces. */
  template(inside: () => void): void {
    let at = this.known.start + 1;
    for (;;) {
      at += this.match(TEXT_OF_TEMPLATE, at).length;
      if (this.source[at] !== "$") break;
      this.known = this.read(at + 2);
      inside();
      if (!this.is("}")) throw this.mismatch('"}"');
      at = this.known.end;
    }
    if (this.source[at] !== "`") throw this.mismatch('"`"');
    this.lastEnd = at + 1;
    this.known = this.read(at + 1);
  }

  /** Reads a regular expression, where the present sign is a stroke. */
  regularExpression(): void {
    const text = this.match(REGULAR, this.known.start);
    if (text === "") throw this.mismatch("a regular expression");
    this.lastEnd = this.known.start + text.length;
    this.known = this.read(this.lastEnd);
  }

  /** The script without what was cut. */
  rest(): string {
    let [text, at] = ["", 0];
    // Of those that begin at one place the largest comes first.
    const cuts = this.cuts.sort((a, b) => a.start - b.start || b.end - a.end);
    for (const { start, end, first, keepsLines } of cuts) {
      if (start < at) continue; // It lies in a larger one.
      const removed = this.source.slice(start, end);
      const blank = removed.replace(keepsLines ? /[^\n]/g : /[\s\S]/g, " ");
      text += this.source.slice(at, start) + first + blank.slice(1);
      at = end;
    }
    return text + this.source.slice(at);
  }

  private skipTo(closing: string): void {
    while (!this.is(closing)) {
      if (/^[([{]$/.test(this.known.text)) this.skipBrackets();
      else if (this.known.kind === "end") throw this.mismatch(closing);
      else this.advance();
    }
  }

  private read(from: number): Token {
    const { source } = this;
    const blank = this.match(BLANK, from);
    const start = from + blank.length;
    const onNewLine = blank.includes("\n");
    const token = (kind: TokenKind, text: string): Token => ({
      kind,
      text,
      start,
      end: start + text.length,
      onNewLine,
    });
    if (start >= source.length) return token("end", "");
    const kinds = [
      ["name", NAME],
      ["number", NUMBER],
      ["string", STRING],
      ["sign", SIGN],
    ] as const;
    for (const [kind, pattern] of kinds) {
      const text = this.match(pattern, start);
      if (text !== "") return token(kind, text);
    }
    return token("sign", source.slice(start, start + 1));
  }

  private match(pattern: RegExp, at: number): string {
    pattern.lastIndex = at;
    return pattern.exec(this.source)?.[0] ?? "";
  }
}
