/**
 * What a rule is. It must not know any single rule.
 *
 * Invariant: a rule says what a driver owes, never what a device does about it.
 */

/**
 * How strong a rule is. The first three are the specification's. `FIELD` is for what the
 * specification leaves open and devices in the field demand all the same.
 */
export type Level = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "FIELD";

export interface Rule {
  /** Short name, stable over versions. */
  readonly id: string;
  readonly level: Level;
  /** Where it stands: a section of virtio 1.3, or what makes the field demand it. */
  readonly section: string;
  /** The rule in one sentence. */
  readonly title: string;
  /** How the device sees that it was broken. */
  readonly observed: string;
}
