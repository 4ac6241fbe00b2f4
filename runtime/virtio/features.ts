/**
 * Feature sets: what a device offers and what a driver accepts, as one bigint.
 *
 * A bigint has set algebra built in (`|`, `&`, `& ~`), and goes past bit 31, where `1 << n` wraps
 * around. It is slow: a hot path keeps a boolean of its own.
 */
/** Bit n is set when feature n is in the set. Never negative. */
export type FeatureSet = bigint;

const WORD_MASK = 0xffff_ffffn;

/** Returns the set of these bit numbers. */
export function featureSet(...bits: readonly number[]): FeatureSet {
  let set = 0n;
  for (const bit of bits) set |= 1n << BigInt(bit);
  return set;
}

export function hasFeature(set: FeatureSet, bit: number): boolean {
  return ((set >> BigInt(bit)) & 1n) === 1n;
}

/** True when all of `part` is in `whole`. */
export function isSubset(part: FeatureSet, whole: FeatureSet): boolean {
  return (part & ~whole) === 0n;
}

/** Returns word `index` of the set, features 32 * index and up, as a feature register has it. */
export function featureWord(set: FeatureSet, index: number): number {
  return Number((set >> BigInt(32 * index)) & WORD_MASK);
}

/** Returns the set of these u32 words, the lowest first. */
export function fromFeatureWords(words: readonly number[]): FeatureSet {
  let set = 0n;
  words.forEach((word, index) => {
    set |= BigInt(word >>> 0) << BigInt(32 * index);
  });
  return set;
}

/** Returns the bit numbers in the set, ascending. */
export function featureBits(set: FeatureSet): number[] {
  const bits: number[] = [];
  for (let rest = set, bit = 0; rest !== 0n; rest >>= 1n, bit++) {
    if ((rest & 1n) === 1n) bits.push(bit);
  }
  return bits;
}

/** The features that a transport wrote: some of its registers depend on them. */
export class AcceptedFeatures {
  private set: FeatureSet = 0n;

  clear(): void {
    this.set = 0n;
  }

  write(word: number, value: number): void {
    const shift = BigInt(32 * word);
    this.set = (this.set & ~(WORD_MASK << shift)) | (BigInt(value >>> 0) << shift);
  }

  has(bit: number): boolean {
    return hasFeature(this.set, bit);
  }
}

/** Bit numbers by name: the transport's and the rings' (FEATURE), or those of a device type. */
export type FeatureTable = Readonly<Record<string, number>>;

/** Returns the set for people, named by `tables`: "EVENT_IDX VERSION_1 bit 61", or "none". */
export function featureNames(set: FeatureSet, ...tables: readonly FeatureTable[]): string {
  const names = new Map<number, string>();
  for (const [name, bit] of tables.flatMap(Object.entries<number>)) names.set(bit, name);
  const words = featureBits(set).map((bit) => names.get(bit) ?? `bit ${bit}`);
  return words.length === 0 ? "none" : words.join(" ");
}
