/**
 * The state of a machine's parts, as plain values: what moves with a guest and what is loaded.
 *
 * A part holds no other part's objects in its state. It names a queue by its index, and a chain in
 * flight by its id; the rings alone save chains.
 */

/** What JSON can say. A field that is undefined is left out, and reads as undefined again. */
export type Plain =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Plain[]
  | { readonly [name: string]: Plain };

/** Something with state that moves with a guest. Options, counts and judgement stay behind. */
export interface Part {
  save(): Plain;
  /** Takes what `save` of a part of the same kind returned. */
  load(state: Plain): void;
}

/** Parts by the name that both hosts give them. */
export type Parts = Readonly<Record<string, Part>>;

/** The states of parts, by the same names. */
export type States = Readonly<Record<string, Plain>>;

export function saveParts(parts: Readonly<Record<string, Pick<Part, "save">>>): States {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.save()]));
}

/** Loads every part that has a state. The others stay as they were made. */
export function loadParts(parts: Parts, states: States): void {
  for (const [name, part] of Object.entries(parts)) {
    if (Object.hasOwn(states, name)) part.load(states[name]);
  }
}
