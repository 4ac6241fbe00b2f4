/**
 * The type of a statement: one thing that virtio 1.3 says of drivers, in our words, and which rules
 * of the device or behaviours catch a driver that breaks it. Who sees that follows from the rules'
 * `seenBy`. A MUST that a balloon driver can break needs one; a weaker one may have a reason.
 */
import type { Level, RuleId } from "../../../src/device/index.ts";
import type { BehaviourId } from "./behaviours.ts";

/** The specification's words; `TEXT` is what it says of drivers without any of them. */
export type StatementLevel = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY" | "TEXT";

interface Said {
  /** `D1` and so on in 5.5, else the section and a number; stable over versions. */
  readonly id: string;
  /** Of virtio 1.3. */
  readonly section: string;
  readonly level: StatementLevel;
  readonly text: string;
}

/** A driver that breaks it is caught. */
export interface Shown extends Said {
  /** The rules and behaviours that catch it. */
  readonly by: readonly (RuleId | BehaviourId)[];
  /** Which of the mutants against these break this statement. Default: all of them. */
  readonly mutants?: readonly string[];
}

/** No balloon driver, or not this one, can break it. */
export interface Outside extends Said {
  /** Why. */
  readonly outside: string;
}

/** A driver that breaks it is not caught. Never a MUST. */
export interface Unseen extends Said {
  /** Why. */
  readonly unseen: string;
}

export type Statement = Shown | Outside | Unseen;

/** Reasons that several statements share. */
export const PERMISSION = "A permission cannot be broken.";
export const LITTLE_ENDIAN = "The guests of this driver are little-endian: there the two are one.";

export function isShown(statement: Statement): statement is Shown {
  return "by" in statement;
}

export function isMust(level: StatementLevel | Level): boolean {
  return level === "MUST" || level === "MUST NOT";
}

/** Why a statement is not shown. */
export function reasonOf(statement: Outside | Unseen): string {
  return "outside" in statement ? statement.outside : statement.unseen;
}
