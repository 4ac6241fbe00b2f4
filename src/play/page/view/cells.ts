/** What the cells of the picture are called and how they are coloured: states, and marks on top. */

import { MARK } from "../machine/ledger.ts";
import { FRAME_STATES } from "../machine/shared.ts";
import { colour } from "./elements.ts";

/** What each state means, for the legend's titles. */
const MEANING: Readonly<Record<string, string>> = {
  reserved: "no memory, or the kernel's own",
  used: "the guest uses it",
  free: "the guest may use it",
  inflating: "offered to the host, not yet acknowledged",
  held: "in the balloon: the host has it",
  deflating: "asked back, not yet acknowledged",
  hinted: "lent until the host's hinting run is done",
  reporting: "reported as free, not yet acknowledged",
  early: "used by the guest while the host still has it",
  lost: "used by the guest, and taken away by the host",
};

export interface CellKind {
  readonly name: string;
  readonly meaning: string;
}

const kind = (name: string): CellKind => ({ name, meaning: MEANING[name] ?? "" });

export const STATE_KINDS: readonly CellKind[] = FRAME_STATES.map(kind);
export const MARK_KINDS: readonly (CellKind & { readonly mark: number })[] = [
  { ...kind("early"), mark: MARK.early },
  { ...kind("lost"), mark: MARK.lost },
];

/** The colours of states and marks now, as pixels: RGBA, red in the lowest byte. */
export interface Palette {
  readonly states: Uint32Array;
  readonly marks: Uint32Array;
}

export function readPalette(): Palette {
  const states = Uint32Array.from(STATE_KINDS, ({ name }) => pixel(colour(name)));
  const marks = new Uint32Array(MARK_KINDS.length + 1);
  for (const { name, mark } of MARK_KINDS) marks[mark] = pixel(colour(name));
  return { states, marks };
}

/** `#rrggbb` as a pixel of ImageData on a little-endian machine, as all browsers' are. */
function pixel(text: string): number {
  const value = Number.parseInt(text.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
