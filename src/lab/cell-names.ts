/**
 * Names of cells and of what makes them: a persona, a host, a dialect and a migration path.
 *
 * `PERSONA/HOST[/DIALECT][/PATH]`; `standard` and `none` are left out: `windows/locked`,
 * `linux/two-bit/two-bit`, `linux/locked/to-old`. A name leads back to its cell.
 */
import { DIALECTS, PERSONA_NAMES } from "../../runtime/abi.ts";
import { type HostDesign, type HostDesignName, hostDesigns } from "../device/host/host-design.ts";
import type { CellOptions } from "./cell.ts";
import { type MigrationPathName, migrationPaths } from "./paths.ts";

/** All designs of hosts. */
export const HOST_NAMES = Object.keys(hostDesigns) as readonly HostDesignName[];
/** All migration paths; `none` is no migration. */
export const PATH_NAMES = Object.keys(migrationPaths) as readonly MigrationPathName[];

/** What makes a cell. */
export type CellKey = Required<Pick<CellOptions, "persona" | "host" | "dialect" | "path">>;

/** One table of the comparison: all that its drivers have in common. */
type Situation = Omit<CellKey, "persona">;

export function designOf(host: HostDesignName): HostDesign {
  return hostDesigns[host];
}

/** Whether a host offers the experiment's bits. */
export function offersTwoBits(host: HostDesignName): boolean {
  return designOf(host).silentBy !== undefined;
}

/** `locked`, `two-bit/two-bit`, `locked/to-old`: a cell's name without the persona. */
export function situationName({ host, dialect, path }: Situation): string {
  const known = dialect === "standard" ? "" : `/${dialect}`;
  return `${host}${known}${path === "none" ? "" : `/${path}`}`;
}

/** What a situation is, in sentences. */
export function situationText({ host, dialect, path }: Situation): string {
  const spoken = dialect === "standard" ? "" : ` The driver's dialect is ${dialect}.`;
  const moved = path === "none" ? "" : ` Migrated: ${migrationPaths[path].does}`;
  return `${designOf(host).does}${spoken}${moved}`;
}

export function cellName({ persona, ...situation }: CellKey): string {
  return `${persona}/${situationName(situation)}`;
}

/** Returns the cell with this name; undefined when there is none. */
export function cellNamed(name: string): CellKey | undefined {
  const [persona, host, ...more] = name.split("/");
  if (!isOneOf(PERSONA_NAMES, persona) || !isOneOf(HOST_NAMES, host)) return undefined;
  const dialect = isOneOf(DIALECTS, more[0]) ? more[0] : "standard";
  const path = isOneOf(PATH_NAMES, more.at(-1)) ? more.at(-1) : "none";
  const key = { persona, host, dialect, path } as CellKey;
  return cellName(key) === name ? key : undefined;
}

export function isOneOf<T extends string>(names: readonly T[], name?: string): name is T {
  return (names as readonly (string | undefined)[]).includes(name);
}

/** Every situation, in the order of the hosts. */
export const SITUATIONS: readonly Situation[] = HOST_NAMES.flatMap((host) =>
  DIALECTS.flatMap((dialect) => PATH_NAMES.map((path) => ({ host, dialect, path }))),
);
