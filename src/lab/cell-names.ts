/**
 * What the laboratory of telling first can be asked about: drivers' personas, hosts' designs, the
 * driver's dialects, ways to migrate, and cells, which are one of each.
 *
 * It runs nothing and explains nothing. Invariant: a cell's name says all that makes it differ from
 * another cell, and leads back to it.
 */
import { DIALECTS, type Dialect } from "../../runtime/balloon/deflate-order.ts";
import { PERSONA_NAMES, type PersonaName } from "../../runtime/balloon/settings.ts";
import { type HostDesign, type HostDesignName, hostDesigns } from "../device/host/host-design.ts";
import type { CellOptions } from "./cell.ts";
import { type MigrationPathName, migrationPaths } from "./paths.ts";

export const HOST_NAMES = Object.keys(hostDesigns) as readonly HostDesignName[];
export const PATH_NAMES = Object.keys(migrationPaths) as readonly MigrationPathName[];

/** What makes a cell: everything but how it is run. */
export type CellKey = Required<Pick<CellOptions, "persona" | "host" | "dialect" | "path">>;

/** One column of the table: a host, and all that a driver may meet there. */
export type Situation = Omit<CellKey, "persona">;

export function designOf(host: HostDesignName): HostDesign {
  return hostDesigns[host];
}

/** Whether a host offers the experiment's bits. */
export function speaksTwoBits(host: HostDesignName): boolean {
  return designOf(host).silentBy !== undefined;
}

/** `locked`, `two-bit/two-bit`, `locked/to-old`: the host, then what is out of the ordinary. */
export function situationName({ host, dialect, path }: Situation): string {
  const spoken = dialect === "standard" ? "" : `/${dialect}`;
  return `${host}${spoken}${path === "none" ? "" : `/${path}`}`;
}

/** What happens there, in sentences. */
export function situationText({ host, dialect, path }: Situation): string {
  const spoken = dialect === "standard" ? "" : ` The driver speaks ${dialect}.`;
  const moved = path === "none" ? "" : ` Migrated: ${migrationPaths[path].does}`;
  return `${designOf(host).does}${spoken}${moved}`;
}

/** `windows/locked`, `linux/two-bit/two-bit`. */
export function cellName({ persona, ...situation }: CellKey): string {
  return `${persona}/${situationName(situation)}`;
}

/** The cell of a name; undefined when there is none. */
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

/** Every column that there could be, by host. */
export const SITUATIONS: readonly Situation[] = HOST_NAMES.flatMap((host) =>
  DIALECTS.flatMap((dialect) => PATH_NAMES.map((path) => ({ host, dialect, path }))),
);

export {
  DIALECTS,
  type Dialect,
  type HostDesignName,
  type MigrationPathName,
  PERSONA_NAMES,
  type PersonaName,
};
