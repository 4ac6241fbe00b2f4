/** Rules: who may import whom. */
import { describe, expect, it } from "vitest";
import {
  arrows,
  arrowsWithin,
  fileCircles,
  folderCircles,
  type Import,
  imports,
} from "./import-graph.ts";
import { product, tests } from "./source-files.ts";

const names = new Set([...product, ...tests].map(({ name }) => name));

/** Imports by files in `from` that are not allowed, as "file imports what". */
function unwanted(from: string, isAllowed: (one: Import) => boolean): string[] {
  return imports
    .filter((one) => one.from.startsWith(from) && !isAllowed(one))
    .map((one) => `${one.from} imports ${one.specifier}`);
}

const isBelow =
  (...folders: string[]) =>
  ({ to }: Import) =>
    to !== undefined && folders.some((folder) => to.startsWith(folder));

describe("imports go one way", () => {
  it("assembly/ imports nothing outside itself", () => {
    expect(unwanted("assembly/", isBelow("assembly/"))).toEqual([]);
  });

  it("runtime/ imports nothing outside itself: no package, nothing of Node", () => {
    expect(unwanted("runtime/", isBelow("runtime/"))).toEqual([]);
  });

  it("src/ imports src/, runtime/ and packages, never test/ or assembly/", () => {
    const isAllowed = (one: Import) =>
      one.to === undefined || isBelow("src/", "runtime/", "package.json")(one);
    expect(unwanted("src/", isAllowed)).toEqual([]);
  });

  it("src/ reaches runtime/ by its entries alone", () => {
    const entries = ["runtime/index.ts", "runtime/abi.ts"];
    const wrong = imports
      .filter(({ from, to }) => from.startsWith("src/") && to?.startsWith("runtime/"))
      .filter(({ to }) => !entries.includes(to as string))
      .map(({ from, to }) => `${from} imports ${to}: export the name from ${entries.join(" or ")}`);
    expect(wrong).toEqual([]);
  });

  it("src/device/ imports nothing outside itself: the judge shares no code with the judged", () => {
    expect(unwanted("src/device/", isBelow("src/device/"))).toEqual([]);
  });

  it("runtime/ outside of its kernel knows no kernel", () => {
    const wrong = imports
      .filter(({ from }) => from.startsWith("runtime/") && !from.startsWith("runtime/kernel/"))
      .filter(isBelow("runtime/kernel/"))
      .filter(
        ({ from, to }) => !/^runtime\/(index|abi)\.ts$/.test(from) || !/exit-codes/.test(to ?? ""),
      );
    expect(wrong).toEqual([]);
  });

  it("v86 is imported by src/vmm/v86/ alone", () => {
    const wrong = imports.filter(
      ({ from, specifier }) =>
        /^v86(\/|$)/.test(specifier) && from.startsWith("src/") && !/^src\/vmm\/v86/.test(from),
    );
    expect(wrong).toEqual([]);
  });

  it("src/cli/ starts nothing: no child processes there", () => {
    const wrong = imports.filter(
      ({ from, specifier }) => from.startsWith("src/cli/") && /child_process/.test(specifier),
    );
    expect(wrong).toEqual([]);
  });

  it("relative imports name files that are there, with their ending outside of assembly/", () => {
    const wrong = imports.filter(({ from, to, specifier }) => {
      if (to === undefined || /\.(json|wasm|mjs|d\.ts)$/.test(specifier)) return false;
      const asIs = from.startsWith("assembly/") || from.startsWith("src/embed/example/");
      return !names.has(to) || (!asIs && !/\.ts$/.test(specifier));
    });
    expect(wrong).toEqual([]);
  });
});

/** The rooms of src/, top down: a room imports rooms of lower floors only. */
const FLOORS = [
  ["cli"],
  // The page shows what the judge finds.
  ["play"],
  // Its reports are those of the judge.
  ["check"],
  ["session", "judge", "lab"],
  ["report", "text"],
  ["vmm", "embed"],
  ["device", "image"],
];

/** Higher is nearer to the user; undefined for the files beside the rooms. */
function floorOf(file: string): number | undefined {
  const room = /^src\/([^/]+)\//.exec(file)?.[1];
  if (room === undefined) return undefined;
  const floor = FLOORS.findIndex((rooms) => rooms.includes(room));
  if (floor < 0)
    throw new Error(`src/${room}/ is no room yet: give it a floor in ${import.meta.url}`);
  return FLOORS.length - floor;
}

const roomOf = (file: string) => file.split("/")[1];

describe("rooms of src/", () => {
  it("import rooms of lower floors only", () => {
    const wrong = arrows.filter(({ from, to }) => {
      if (!from.startsWith("src/") || roomOf(from) === roomOf(to)) return false;
      const [above, below] = [floorOf(from), floorOf(to)];
      return above !== undefined && below !== undefined && below >= above;
    });
    const lines = wrong.map(({ from, to }) => `${from} imports ${to}: move what both need down`);
    expect(lines).toEqual([]);
  });
});

describe("circles", () => {
  it("of files: none", () => {
    const lines = fileCircles
      .flatMap(arrowsWithin)
      .map(({ from, to }) => `${from} -> ${to}: part of a circle, cut it or another`);
    expect([...new Set(lines)]).toEqual([]);
  });

  it("of folders: none", () => {
    const lines = folderCircles.flatMap((circle) => {
      const inside = arrowsWithin(circle).map(({ from, to }) => `\n  ${from} -> ${to}`);
      return circle.map((it) => `${it}: in a circle, cut one of${[...new Set(inside)].join("")}`);
    });
    expect(lines).toEqual([]);
  });
});
