/**
 * The exit code of each kind of failure. Scripts rely on the numbers: add some, change none.
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
