/**
 * What the shell gets for each kind of failure.
 *
 * Invariant: the numbers are a contract with scripts; they are added to, never changed.
 */
import type { FailureKind } from "../failure.ts";

export const GOOD = 0;

const CODES: Readonly<Record<FailureKind, number>> = {
  rule: 1,
  unreached: 1,
  guest: 1,
  emulator: 1,
  usage: 2,
  missing: 3,
};

export function exitCodeOf({ kind }: { readonly kind: FailureKind }): number {
  return CODES[kind];
}
