/**
 * Feature sets: what a device offers and what a driver accepts, as one bigint.
 *
 * A bigint is the specification's own picture (bit n of the set is feature n), has its set algebra
 * built in (`|`, `&`, `& ~`), and goes past bit 31, where `1 << n` wraps around. Sets are looked at
 * during bring-up only; a hot path keeps the boolean it needs.
 *
 * Invariant: a set is never negative, and word w of it holds the features 32w to 32w + 31.
 */
/** Bit n is set when feature n is in the set. */
export type FeatureSet = bigint;

const WORD_MASK = 0xffff_ffffn;

/** The set with exactly these bit numbers. */
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

/** Word `index` of the set, as the u32 that goes through a feature register. */
export function featureWord(set: FeatureSet, index: number): number {
  return Number((set >> BigInt(32 * index)) & WORD_MASK);
}

/** The set that these u32 words spell, lowest word first. */
export function fromFeatureWords(words: readonly number[]): FeatureSet {
  let set = 0n;
  words.forEach((word, index) => {
    set |= BigInt(word >>> 0) << BigInt(32 * index);
  });
  return set;
}

/** The bit numbers in the set, ascending. */
export function featureBits(set: FeatureSet): number[] {
  const bits: number[] = [];
  for (let rest = set, bit = 0; rest !== 0n; rest >>= 1n, bit++) {
    if ((rest & 1n) === 1n) bits.push(bit);
  }
  return bits;
}

/** What a transport remembers of the words that it wrote: what its own registers depend on. */
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
