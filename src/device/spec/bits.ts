/** Sets of feature bits: bit `n` of a bigint is feature bit `n`. */

/** Whether the set has this bit number. `undefined` stands for no bit, which no set has. */
export function hasBit(set: bigint, bit: number | undefined): boolean {
  return bit !== undefined && ((set >> BigInt(bit)) & 1n) === 1n;
}

/** The set of these bit numbers. */
export function setOf(bits: readonly number[]): bigint {
  return bits.reduce((set, bit) => set | (1n << BigInt(bit)), 0n);
}
