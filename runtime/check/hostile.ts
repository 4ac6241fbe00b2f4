/**
 * A hostile guest: rounds of a few steps that no driver would take, each drawn from the round's
 * seed. After each round the device must serve a reset and a clean start.
 *
 * What a step names lies in the bench's own memory, in firmware's, or where no memory is. A device
 * that takes a false length or index at its word reads page numbers from other memory, and may
 * discard pages that the guest needs.
 */
import { BALLOON_FEATURE } from "../balloon/constants.ts";
import { BallonetError } from "../errors.ts";
import type { Width } from "../hal.ts";
import { type Bench, Broken, LeftOut, PAGE_BYTES } from "./bench.ts";
import { Life } from "./life.ts";
import type { RegisterName } from "./registers.ts";
import type { Part, SplitRing } from "./ring.ts";

/** Steps of a round. */
export const ROUND_STEPS = 16;

/** Numbers that follow from a seed (xorshift, 32 bits). */
class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed + 1, 0x9e37_79b1) | 1;
    for (let n = 0; n < 4; n++) this.word();
  }

  word(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  below(end: number): number {
    return this.word() % end;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}

/** What a step works on. */
interface Field {
  readonly bench: Bench;
  readonly life: Life;
  readonly ring: SplitRing;
  /** Memory that a device may get: one page after another. */
  readonly pages: readonly number[];
}

/** One step: what it is for people, and doing it. */
interface Step {
  readonly text: string;
  run(field: Field): void;
}

const SPARE_PAGES = 8;
/** Where no memory of a guest is: VGA's hole, firmware, and far beyond all memory. */
const NOWHERE = [0xa_0000, 0xf_0000, 2 ** 40, 2 ** 52 - PAGE_BYTES] as const;
const ODD_VALUES = [0, 1, 2, 7, 0xff, 0x7fff, 0xffff, 0x8000_0000, 0xffff_ffff] as const;
const REGISTERS: readonly RegisterName[] = [
  "deviceFeatureSelect",
  "deviceFeature",
  "driverFeatureSelect",
  "driverFeature",
  "configGeneration",
  "queueSelect",
  "queueSize",
  "queueEnable",
  "queueReset",
];
/** Registers with an address: the device may write there. */
const ADDRESSES: readonly RegisterName[] = ["queueDescLow", "queueDriverLow", "queueDeviceLow"];

/** A place for a part: in a spare page, or nowhere. */
function place(dice: Dice): (field: Field) => Part {
  const isNowhere = dice.below(3) === 0;
  const [far, page, offset] = [dice.of(NOWHERE), dice.below(SPARE_PAGES), dice.below(PAGE_BYTES)];
  const length = dice.of([0, 1, 3, 4, 16, 4 * offset, 0xffff_ffff]);
  return ({ pages }) => {
    if (isNowhere) return { address: far + offset, length };
    const inside = Math.min(length, PAGE_BYTES - offset);
    return { address: (pages[page] ?? 0) * PAGE_BYTES + offset, length: inside };
  };
}

type Draw = (dice: Dice) => Step;

const descriptor: Draw = (dice) => {
  const [index, flags, next, part] = [dice.below(8), dice.below(8), dice.below(10), place(dice)];
  const text = `descriptor ${index}: flags ${flags}, next ${next}`;
  return { text, run: (field) => field.ring.setDescriptor(index, part(field), flags, next) };
};

const head: Draw = (dice) => {
  const value = dice.of([dice.below(8), dice.below(8), 8, 0x7fff, 0xffff]);
  return { text: `head ${value}`, run: ({ ring }) => ring.show(value) };
};

const jump: Draw = (dice) => {
  const by = dice.of([-1, 2, 9, 0x7fff, 0x8000, 0xfffe]);
  return { text: `idx jumps by ${by}`, run: ({ ring }) => ring.jump(by) };
};

const notify: Draw = (dice) => {
  const index = dice.of([0, 0, 0, 1, 2, 3, 4, 5, 63, 0xffff]);
  return { text: `notify ${index}`, run: ({ bench }) => bench.device.notify(index) };
};

const status: Draw = (dice) => {
  const value = dice.of([0, 1, 4, 8, 15, 64, 128, dice.below(256)]);
  return { text: `status ${value}`, run: ({ bench }) => bench.device.write("deviceStatus", value) };
};

const register: Draw = (dice) => {
  const [name, value] = [dice.of(REGISTERS), dice.of([...ODD_VALUES, dice.word()])];
  return { text: `${name} ${value}`, run: ({ bench }) => bench.device.write(name, value) };
};

const address: Draw = (dice) => {
  const [name, part] = [dice.of(ADDRESSES), place(dice)];
  return {
    text: `${name} elsewhere`,
    run: (field) => field.bench.device.write(name, part(field).address % 2 ** 32),
  };
};

const config: Draw = (dice) => {
  const [offset, value] = [dice.of([0, 4, 8, 12]), dice.of(ODD_VALUES)];
  return {
    text: `config ${offset} ${value}`,
    run: ({ bench }) => {
      if (offset < bench.device.configLength) bench.device.writeConfig({ offset, width: 4 }, value);
    },
  };
};

const oddAccess: Draw = (dice) => {
  // Not aligned they would be the processor's to split.
  const width = dice.of<Width>([1, 2, 4]);
  const at = dice.below(0x38 / width) * width;
  return {
    text: `read ${width} bytes at ${at}`,
    run: ({ bench: { device } }) => {
      (device.pci?.common ?? device.mmio)?.read({ offset: at, width });
    },
  };
};

const pages: Draw = (dice) => {
  const far = [0xa0, 0xff, 0x10_0000, 0x7fff_ffff, 0xffff_ffff];
  const picks = Array.from({ length: 4 }, () => [dice.below(2), dice.word()] as const);
  const text = "PFNs beyond memory, in holes and twice";
  return {
    text,
    run: (field) => {
      const pfns = picks.map(([isFar, n]) =>
        isFar === 1 ? (far[n % far.length] ?? 0) : (field.pages[n % SPARE_PAGES] ?? 0),
      );
      field.ring.post([field.life.pfns(pfns)]);
      field.life.notify(field.ring);
    },
  };
};

const scribble: Draw = (dice) => {
  const [area, word, value] = [dice.below(3), dice.below(8), dice.of([...ODD_VALUES, dice.word()])];
  return {
    text: `word ${word} of area ${area} becomes ${value}`,
    run: ({ bench, ring }) => bench.memory.write((ring.areas[area] ?? 0) + 4 * word, 4, value),
  };
};

const DRAWS: readonly Draw[] = [
  ...[descriptor, descriptor, descriptor, head, head, jump, notify, notify, notify],
  ...[status, register, register, address, config, oddAccess, pages, pages, scribble, scribble],
];

/** The steps of the round that a seed names, always the same. */
export function stepsOf(seed: number): readonly Step[] {
  const dice = new Dice(seed);
  return Array.from({ length: ROUND_STEPS }, () => dice.of(DRAWS)(dice));
}

/** Which steps of a round are taken. */
export interface RoundOptions {
  /** Places of the steps to take. Default: all. */
  readonly keep?: readonly number[] | undefined;
  /** Called before each step that is taken. */
  onStep?(text: string): void;
}

/**
 * Takes the steps of a round, then starts the device anew. Returns what is wrong with it then;
 * undefined: nothing.
 */
export function hostileRound(
  bench: Bench,
  seed: number,
  { keep, onStep }: RoundOptions = {},
): string | undefined {
  const { STATS_VQ, FREE_PAGE_HINT, PAGE_REPORTING } = BALLOON_FEATURE;
  const steps = stepsOf(seed).filter((_, place) => keep === undefined || keep.includes(place));
  try {
    const { life, ring } = Life.split(bench, { wants: [STATS_VQ, FREE_PAGE_HINT, PAGE_REPORTING] });
    const spare = Array.from({ length: SPARE_PAGES }, () => bench.page(0));
    for (const step of steps) {
      onStep?.(step.text);
      step.run({ bench, life, ring, pages: spare });
    }
    bench.quiet();
    const clean = Life.split(bench);
    clean.life.serve(clean.ring, [clean.life.onePage()]);
    return undefined;
  } catch (error) {
    if (error instanceof LeftOut) return undefined;
    if (!(error instanceof Broken || error instanceof BallonetError)) throw error;
    return error.message;
  }
}
