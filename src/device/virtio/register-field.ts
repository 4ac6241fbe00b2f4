/**
 * A field of a register block, and which field an access hits. 64-bit fields are two 32-bit ones
 * (virtio 1.3, 4.1.3).
 */

import type { AccessQuirk } from "../host/profile.ts";
import type { RuleId } from "../spec/rules.ts";

export interface RegisterField {
  readonly name: string;
  readonly offset: number;
  readonly width: 1 | 2 | 4;
  /** The rule that a write in parts breaks, where the field has one of its own. */
  readonly wholeRule?: RuleId;
  /** Whether the field is there now; without this it always is. */
  exists?(): boolean;
  read(): number;
  write(value: number): void;
  /**
   * Takes the value after a write of some of its bytes; without this it is as `write`. `complete`:
   * the most significant byte was among them.
   */
  writePart?(value: number, complete: boolean): void;
}

export interface Hit {
  readonly field: RegisterField;
  /** Bytes from the field's start. */
  readonly within: number;
  readonly native: boolean;
}

/** Returns the field that an access starts in. */
export function hitField(
  fields: readonly RegisterField[],
  offset: number,
  width: number,
): Hit | undefined {
  const field = fields.find(
    (one) => offset >= one.offset && offset < one.offset + one.width && (one.exists?.() ?? true),
  );
  if (field === undefined) return undefined;
  const within = offset - field.offset;
  return { field, within, native: within === 0 && width === field.width };
}

/** Returns what a read of a wrong width gives; `undefined` when nothing answers. */
export function oddRead(quirk: AccessQuirk, hit: Hit, width: number): number | undefined {
  const { field, within } = hit;
  switch (quirk) {
    case "native":
      return undefined;
    case "any":
      return Math.floor(field.read() / 256 ** within) % 256 ** width;
    case "v86":
      if (width === 1 && field.width > 1) return Math.floor(field.read() / 256 ** within) % 256;
      return width === 4 && field.width === 2 && within === 0 ? field.read() : undefined;
  }
}

/** Returns the field's value after a write of a wrong width; `undefined` when nothing changes. */
export function oddWrite(
  quirk: AccessQuirk,
  { field, within }: Hit,
  width: number,
  value: number,
): number | undefined {
  if (quirk !== "any") return undefined;
  const bytes = Math.min(width, field.width - within);
  const was = bytes === field.width ? 0 : field.read();
  const low = was % 256 ** within;
  const high = was - (was % 256 ** (within + bytes));
  return high + (value % 256 ** bytes) * 256 ** within + low;
}
