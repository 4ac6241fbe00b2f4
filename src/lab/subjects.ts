/**
 * What the laboratory of telling first can be asked about: drivers' personas, hosts' designs, the
 * driver's dialects, and cells, which are one of each.
 *
 * It runs nothing and explains nothing. Invariant: a cell's name says all that makes it differ from
 * another cell, and every name belongs to one subject.
 */
import { DIALECTS, type Dialect } from "../../runtime/balloon/deflate.ts";
import { PERSONA_NAMES, type PersonaName } from "../../runtime/balloon/settings.ts";
import { type HostDesign, type HostDesignName, hostDesigns } from "../device/host-design.ts";
import type { CellOptions } from "./deflate-lab.ts";

export const HOST_NAMES = Object.keys(hostDesigns) as readonly HostDesignName[];

/** What makes a cell: everything but how it is run. */
export type CellKey = Pick<CellOptions, "persona" | "host" | "dialect">;

/** One column of the table: a host, and what it takes to meet it. */
export type Situation = Omit<CellKey, "persona">;

export function designOf(host: HostDesignName): HostDesign {
  return hostDesigns[host];
}

/** Whether a host offers the experiment's bits. */
export function speaksTwoBits(host: HostDesignName): boolean {
  return designOf(host).silentBy !== undefined;
}

/** `locked`, `two-bit/two-bit`: the host, then what is out of the ordinary. */
export function situationName({ host, dialect = "standard" }: Situation): string {
  return dialect === "standard" ? host : `${host}/${dialect}`;
}

/** `windows/locked`, `linux/two-bit/two-bit`. */
export function cellName({ persona, ...situation }: CellKey): string {
  return `${persona}/${situationName(situation)}`;
}

/** The columns that say something: the experiment's dialect is spoken where the host speaks it. */
export const SITUATIONS: readonly Situation[] = HOST_NAMES.flatMap((host) =>
  DIALECTS.filter((dialect) => dialect === "standard" || speaksTwoBits(host)).map((dialect) => ({
    host,
    dialect,
  })),
);

/** The cell of a name; undefined when there is none. */
export function cellNamed(name: string): Required<CellKey> | undefined {
  const [persona, host, dialect = "standard", ...more] = name.split("/");
  if (!isOneOf(PERSONA_NAMES, persona) || !isOneOf(HOST_NAMES, host)) return undefined;
  if (!isOneOf(DIALECTS, dialect) || more.length > 0) return undefined;
  return { persona, host, dialect };
}

export function isOneOf<T extends string>(names: readonly T[], name?: string): name is T {
  return (names as readonly (string | undefined)[]).includes(name);
}

/** All that has an explanation of its own; cells last. */
export const SUBJECT_NAMES: readonly string[] = [
  ...new Set<string>([...PERSONA_NAMES, ...HOST_NAMES, ...DIALECTS]),
  ...PERSONA_NAMES.flatMap((persona: PersonaName) =>
    SITUATIONS.map((situation) => cellName({ persona, ...situation })),
  ),
];

export { type Dialect, type HostDesignName, PERSONA_NAMES, type PersonaName };
