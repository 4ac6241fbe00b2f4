/**
 * Programs that nobody wrote: all of one follows from its seed.
 *
 * Most are bodies that end by themselves, whatever they throw, so that many run in one guest after
 * another. The others may end the program or never end, and have a guest each.
 */
import { Random } from "../../../../src/device/sim/random.ts";
import { DEEP, WITH_CHAIN, WITH_TREE } from "./deep.ts";
import { BREAKS, ENDLESS, TAKES, THROWN, WHERE } from "./endless.ts";
import { AROUND, ASYNC, CALLBACKS, OWNERS, SYNC, VALUES } from "./templates.ts";

export interface GeneratedProgram {
  /** Whether it needs a guest of its own. */
  readonly isAlone: boolean;
  /** Each of them can be left out. */
  readonly statements: readonly string[];
}

/** One of so many has a guest of its own. */
const ALONE_OF = 20;
const DEPTH_MAX = 4;
const STATEMENTS_MAX = 5;
const DEPTHS = [3, 30, 300, 3000];
const DEPTHS_ALONE = [1000, 10_000, 30_000, 100_000, 1_000_000];
/** A program that goes deep or on for ever in one place does so in few. */
const SMALL = "step();";

/** Returns whether the program of this seed needs a guest of its own. */
export function isAlone(seed: number): boolean {
  return seed % ALONE_OF === 0;
}

const canWait = (template: string) => template.includes("await");
const ENDLESS_AT_ONCE = ENDLESS.filter((it) => !canWait(it));
/** They have no other value in them. */
const LEAVES = VALUES.filter((it) => !/\$[A-IL-Z]/.test(it));

class Writer {
  private readonly random: Random;
  private readonly depths: readonly number[];
  private depth = 0;
  private labels = 0;

  constructor(seed: number) {
    this.random = new Random(Math.imul(seed, 0x9e3779b1));
    this.depths = isAlone(seed) ? DEPTHS_ALONE : DEPTHS;
  }

  body(): string[] {
    return Array.from({ length: 1 + this.random.below(STATEMENTS_MAX) }, () => this.place("A"));
  }

  alone(): string[] {
    if (this.chance(4)) return [...this.breaks(), this.place("A"), this.place("I")];
    const before = this.chance(3) ? [this.place("A")] : [];
    return [...before, `{${this.write(this.one(WHERE))}}`];
  }

  private breaks(): string[] {
    return Array.from({ length: 1 + this.random.below(3) }, () => {
      const name = `const o=${this.one(OWNERS)},m=method(o,${this.random.below(99)});`;
      return `{${name}${this.write(this.one(BREAKS))}}`;
    });
  }

  private one<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)] as T;
  }

  private chance(oneIn: number): boolean {
    return this.random.below(oneIn) === 0;
  }

  /** Fills the places of a template. */
  private write(template: string): string {
    this.depth += 1;
    this.labels += 1;
    const label = `outer${this.labels}`;
    const text = template
      .replaceAll("outer", label)
      .replace(/\$([A-Z])/g, (_, name: string) => this.place(name));
    this.depth -= 1;
    return text;
  }

  private place(name: string): string {
    const isDeep = this.depth > DEPTH_MAX;
    switch (name) {
      case "A":
        if (isDeep) return SMALL;
        return `{${this.write(this.one(this.chance(3) ? ASYNC : SYNC))}}`;
      case "S":
        return isDeep ? SMALL : `{${this.write(this.one(SYNC))}}`;
      case "E":
        return isDeep ? this.write(this.one(LEAVES)) : `(${this.write(this.one(VALUES))})`;
      case "F":
        return isDeep ? "(()=>{step();return 1})" : `(${this.write(this.one(CALLBACKS))})`;
      case "C":
        return this.call();
      case "D":
        return this.chance(3) ? this.nested() : this.write(this.one(DEEP));
      case "H":
      case "I":
        return this.end(name === "I");
      case "V":
        return `(${this.write(this.one(THROWN))})`;
      case "X":
        return `(${this.one(TAKES)})`;
      case "T":
        return this.write(this.one(WITH_TREE));
      case "P":
        return this.write(this.one(WITH_CHAIN));
      case "N":
        return String(this.one(this.depths));
      case "Q":
        return "`";
      case "J":
        return "$".concat("{");
      case "K":
        return String(this.random.below(9));
      default:
        throw new Error(`no such place: $${name}`);
    }
  }

  private call(): string {
    const values = Array.from({ length: this.random.below(4) }, () => this.place("E"));
    const self = this.place("E");
    return `call(${this.one(OWNERS)},${this.random.below(99)},${self},[${values}])`;
  }

  private nested(): string {
    const [open, close] = this.one(AROUND).map((it) => this.write(it));
    const times = this.place("N");
    const text = `${JSON.stringify(open)}.repeat(${times})+'1'+${JSON.stringify(close)}.repeat(${times})`;
    return this.one([
      `new Function(${text})();`,
      `new Function('return '+${text})();`,
      `(0,eval)(${text});`,
    ]);
  }

  private end(waits: boolean): string {
    if (this.depth > DEPTH_MAX) return "for(;;);";
    const kind = this.random.below(10);
    if (kind < 2) return `throw ${this.place("V")};`;
    if (kind < 6) return this.place("D");
    return this.write(this.one(waits ? ENDLESS : ENDLESS_AT_ONCE));
  }
}

/** Returns the program of this seed. */
export function generatedProgram(seed: number): GeneratedProgram {
  const writer = new Writer(seed);
  const alone = isAlone(seed);
  return { isAlone: alone, statements: alone ? writer.alone() : writer.body() };
}
