/** What a check of a device is: one statement of the specification, and what it takes to see it. */
import type { Bench } from "./bench.ts";

/** One statement about devices that a guest can see broken. */
export interface Check {
  /** Stable over versions. */
  readonly id: string;
  /** Of virtio 1.3. */
  readonly section: string;
  readonly level: "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT";
  /** What the specification says: the rest of a sentence that begins with "a device". */
  readonly says: string;
  /**
   * Drives the device. Several statements may share it: what it throws is about this one.
   * @throws Broken for a device that breaks the statement, LeftOut where it cannot be seen.
   */
  run(bench: Bench): void;
}

/** Makes the checks of one section. */
export function inSection(
  section: string,
  rows: readonly (readonly [Check["id"], Check["level"], Check["says"], Check["run"]])[],
): Check[] {
  return rows.map(([id, level, says, run]) => ({ id, section, level, says, run }));
}
