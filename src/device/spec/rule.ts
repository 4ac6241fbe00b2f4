/** Types of the two tables: rules that the device judges, and statements that no device can. */

/**
 * How strong a rule is. The first four are the specification's words. `FIELD` is for what the
 * specification leaves open and devices in the field demand all the same.
 */
export type Level = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "FIELD";

/** The interfaces by which a driver uses a device. */
export type Interface = "modern" | "legacy" | "mmio" | "legacy-mmio";

/** How strong a rule is, and where it stands. */
export interface Standing {
  readonly level: Level;
  readonly section: string;
}

/**
 * What a driver owes, and who notices when it does not do it. What the device answers to a breach
 * is not part of the rule.
 */
export interface Rule<Id extends string = string> {
  /** Short name, stable over versions. */
  readonly id: Id;
  readonly level: Level;
  /** Where it stands: a section of virtio 1.3, or what makes the field demand it. */
  readonly section: string;
  /**
   * Where it stands elsewhere, or is weaker or stronger: by another interface than the modern one
   * of PCI, or in packed queues.
   */
  readonly over?: Partial<Readonly<Record<Interface | "packed", Partial<Standing>>>>;
  /** Rules whose breach brings about one of this rule: a verdict names them as its cause. */
  readonly follows?: readonly string[];
  /** The rule in one sentence. */
  readonly title: string;
  /** How the device sees that it was broken. */
  readonly observed: string;
  /** The files of the device that judge it, without their ending: all that name its id in code. */
  readonly seenBy: readonly string[];
}

/** Returns how strong a rule is where a driver works, and where it stands. */
export function standingOf(
  { level, section, over }: Rule,
  place: { readonly by: Interface; readonly packed: boolean },
): Standing {
  return { level, section, ...over?.[place.by], ...(place.packed && over?.packed) };
}

/** A part of the table of rules. Its type keeps the ids alone, which `RuleId` is made of. */
export function rulesOf<const Id extends string>(rules: readonly Rule<Id>[]): readonly Rule<Id>[] {
  return rules;
}

/**
 * A statement of virtio 1.3 about drivers that no device can judge: what a run without a verdict
 * does not prove.
 */
export interface Unobservable {
  readonly id: string;
  /** The sections of virtio 1.3 that it stands in. */
  readonly section: string;
  /** The statement in one sentence. */
  readonly title: string;
  /**
   * Who sees a breach: a test that watches driver, guest and device together ("whole instrument"),
   * or nobody.
   */
  readonly seenBy: "whole instrument" | "nobody";
  /** Why the device cannot judge it, and what shows it where anything does. */
  readonly reason: string;
  /** What it covers, as sections with the statement's number there. Default: what its id names. */
  readonly statements?: readonly string[];
}
