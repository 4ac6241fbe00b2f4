/**
 * The laboratory of telling first: every persona on every host design, as it comes out of traces,
 * and that a driver with a mistake comes out otherwise.
 *
 * What is compared here was counted by device and guest; a persona, a design or a mutant that makes
 * no difference to any cell is found out.
 */
import { describe, expect, it } from "vitest";
import { type HostDesignName, hostDesigns } from "../../src/device/index.ts";
import { PERSONA_NAMES, type PersonaName } from "../../src/index.ts";
import { type CellOptions, type CellResult, runCell } from "../../src/lab/cell.ts";
import type { MigrationPathName } from "../../src/lab/paths.ts";
import { importPatched, type Patch, patchFiles } from "../support/patched.ts";
import { coreModule } from "../support/vm.ts";

const HOSTS = Object.keys(hostDesigns) as HostDesignName[];

const run = (options: Omit<CellOptions, "core">) => runCell({ ...options, core: coreModule });

/** A cell in a line. */
function line(cell: CellResult): string {
  if (cell.refused !== undefined) return `refused: ${cell.refused.code}`;
  const { pages, touches, damagedFrames } = cell;
  const granted = cell.mayBeSilent ? "may be silent" : "must tell";
  const said = cell.mustTellFirst ? "must tell first" : granted;
  const used = touches.untold > 0 ? `${touches.untold} untold` : `${touches.unanswered} unanswered`;
  return (
    `${said}; unlocked ${pages.unlocked}; told ${pages.told} of ${pages.takenBack}; ` +
    `used ${used}; faults ${touches.faults}; damaged ${damagedFrames}`
  );
}

/** How a driver behaves towards a host, whatever its design. */
const TELLS_FIRST = "told 1024 of 1024; used 0 unanswered";
const TELLS_LATE = "told 1024 of 1024; used 1024 unanswered";
const NEVER_TELLS = "told 0 of 1024; used 1024 untold";
const SAFE = "faults 0; damaged 0";
const HIT = "faults 1024; damaged 1024";
const REFUSED = "refused: features";

const must = (unlocked: number) => `must tell first; unlocked ${unlocked}; ${TELLS_FIRST}; ${SAFE}`;
const may = (unlocked: number, how: string, what = SAFE) =>
  `must tell; unlocked ${unlocked}; ${how}; ${what}`;

type Row = { readonly [host in HostDesignName]: string };

const TELLER: Row = {
  plain: must(0),
  locked: must(2048),
  "locked-always": must(2048),
  refusing: must(2048),
  "two-bit": may(0, TELLS_FIRST),
};

/** Tells first only where it has promised to. */
const PRAGMATIC: Row = { ...TELLER, "two-bit": may(0, TELLS_LATE) };

const TABLE: Record<PersonaName, Row> = {
  ballonet: TELLER,
  linux: TELLER,
  freebsd: {
    plain: may(0, TELLS_FIRST),
    locked: may(0, TELLS_FIRST),
    "locked-always": may(2048, TELLS_FIRST),
    refusing: REFUSED,
    "two-bit": may(0, TELLS_FIRST),
  },
  openbsd: PRAGMATIC,
  windows: {
    plain: may(0, TELLS_LATE),
    locked: may(0, TELLS_LATE),
    "locked-always": may(2048, TELLS_LATE, HIT),
    refusing: REFUSED,
    "two-bit": may(0, TELLS_LATE),
  },
  nanos: PRAGMATIC,
  silent: {
    plain: may(0, NEVER_TELLS),
    locked: may(0, NEVER_TELLS),
    "locked-always": may(2048, NEVER_TELLS, HIT),
    refusing: REFUSED,
    "two-bit": may(0, NEVER_TELLS),
  },
};

describe.each(PERSONA_NAMES)("%s", (persona) => {
  it.each(HOSTS)("on a host that is %s", async (host) => {
    const cell = await run({ persona, host });
    expect(line(cell)).toBe(TABLE[persona][host]);
    expect(cell.damagedFrames).toBe(cell.touches.lost);
    expect(cell.pages).toMatchObject({ total: 5120, inflated: cell.refused ? 0 : 2048 });
    expect(cell.pages.locked).toBe(host === "plain" ? 0 : 5120 - cell.pages.unlocked);
    expect(JSON.parse(JSON.stringify(cell))).toEqual(cell);
  });
});

describe("the dialect of two bits, spoken by the driver", () => {
  it.each<[PersonaName, string]>([
    ["ballonet", must(2048)],
    ["linux", must(2048)],
    ["freebsd", must(2048)],
    ["openbsd", must(2048)],
    ["windows", may(0, TELLS_LATE)],
    ["nanos", must(2048)],
    ["silent", `may be silent; unlocked 0; ${NEVER_TELLS}; ${SAFE}`],
  ])("%s: %s", async (persona, wanted) => {
    const cell = await run({ persona, host: "two-bit", dialect: "two-bit" });
    expect(line(cell)).toBe(wanted);
    expect(cell.verdicts.map(({ rule }) => rule)).not.toContain("D9");
  });

  it("means nothing to a host that does not offer the bits", async () => {
    const plain = await run({ persona: "linux", host: "locked" });
    const cell = await run({ persona: "linux", host: "locked", dialect: "two-bit" });
    expect(cell).toEqual({ ...plain, dialect: "two-bit" });
  });

  it("keeps a driver from being silent where it was not granted", async () => {
    const cell = await run({ persona: "silent", host: "locked", dialect: "two-bit" });
    expect(cell.refused).toMatchObject({ code: "config" });
    expect(cell.refused?.message).toContain("SILENT_DEFLATE not negotiated");
  });
});

describe("a cell", () => {
  it("shows each fault with its page, its state and the trace", async () => {
    const { touches } = await run({ persona: "windows", host: "locked-always" });
    expect(touches.list).toHaveLength(256);
    for (const { pfn, state, unlocked, lost, line: shown } of touches.list) {
      expect({ state, unlocked, lost }).toEqual({ state: "deflating", unlocked: true, lost: true });
      expect(shown).toContain(`touch of an unlocked page pfn=${pfn}`);
    }
  });

  it("is the same every time", async () => {
    const options = { persona: "windows", host: "locked-always" } as const;
    expect(await run(options)).toEqual(await run(options));
  });

  it("has a timeline whose locked pages fall by what is inflated, and rise again", async () => {
    const { timeline, marks } = await run({ persona: "linux", host: "locked" });
    const locked = timeline.map((point) => point.locked);
    expect([locked[0], Math.min(...locked), locked.at(-1)]).toEqual([5120, 3072, 3072]);
    for (const point of timeline) {
      expect(point.locked).toBe(5120 - point.inflating - point.held - point.deflating);
    }
    expect(marks.map(({ what }) => what)).toEqual([
      "the host wants 2048 pages",
      "the host wants 1024 pages",
      ...new Array<string>(4).fill("the guest uses 256 frames"),
      "the host takes away what is unlocked",
      "the host wants 2048 pages",
    ]);
  });
});

/** A migration in a line. */
function moved({ migration }: CellResult): string {
  if (migration === undefined) return "stayed";
  const { worked, bits = [], renegotiated } = migration;
  if (!worked) return `not taken: ${bits.join(" ")}`;
  return renegotiated ? "moved, negotiated again" : "moved";
}

describe("on the way between a host that knows MUST_TELL_HOST and one that does not", () => {
  const knows = `${must(2048)}`;
  const knowsNot = may(0, TELLS_FIRST);
  const late = may(0, TELLS_LATE);
  const NOT_TAKEN = "not taken: MUST_TELL_HOST";

  it.each<[PersonaName, MigrationPathName, string, string]>([
    ["linux", "none", "stayed", knows],
    ["linux", "equal", "moved", knows],
    ["linux", "amid", "moved", knows],
    ["linux", "to-old", NOT_TAKEN, knows],
    ["linux", "to-new", "moved", knowsNot],
    ["linux", "three-steps", "moved, negotiated again", knowsNot],
    ["linux", "three-steps-adopted", "moved", knows],
    ["openbsd", "to-old", NOT_TAKEN, knows],
    ["openbsd", "to-new", "moved", late],
    ["openbsd", "three-steps", "moved, negotiated again", late],
    ["openbsd", "three-steps-adopted", "moved", knows],
    ["windows", "to-old", "moved", late],
    ["windows", "to-new", "moved", late],
    ["windows", "three-steps", "moved", late],
    ["windows", "three-steps-adopted", "moved", late],
    ["ballonet", "equal", "moved", knows],
    ["ballonet", "amid", "moved", knows],
    ["ballonet", "three-steps", "moved, negotiated again", knowsNot],
    ["nanos", "amid", "moved", knows],
  ])("%s, %s: %s", async (persona, path, migration, wanted) => {
    const cell = await run({ persona, host: "locked", path });
    expect(moved(cell)).toBe(migration);
    expect(line(cell)).toBe(wanted);
    expect(JSON.parse(JSON.stringify(cell))).toEqual(cell);
    if (!cell.migration?.worked) return;
    const times = cell.timeline.map(({ ms }) => ms);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it("says what the other host said", async () => {
    const cell = await run({ persona: "linux", host: "locked", path: "to-old" });
    expect(cell.migration?.error).toMatch(/^Features 0x\w+ unsupported. Allowed features: 0x\w+/);
    expect(cell.marks.map(({ what }) => what)).toContain("the other host does not take it");
  });

  it("two positive bits are as hard to move as one", async () => {
    const cell = await run({
      persona: "linux",
      host: "two-bit",
      dialect: "two-bit",
      path: "to-old",
    });
    expect(moved(cell)).toBe("not taken: bit 22");
    expect(line(cell)).toBe(knows);
    const adopted = await run({
      ...{ persona: "linux", host: "two-bit", dialect: "two-bit" },
      path: "three-steps-adopted",
    });
    // The bits came along, and nothing with them: that host does not know what they are for.
    expect(adopted.negotiated).toContain("WILL_TELL_HOST");
    expect(line(adopted)).toBe(knowsNot);
    expect(adopted.verdicts.map(({ rule }) => rule)).not.toContain("G-RESERVED-BIT");
  });
});

/** The driver with one mistake, in the same cell. */
async function runMutant(patch: Patch, options: Omit<CellOptions, "core">): Promise<CellResult> {
  const entry = 'export { runCell } from "./src/lab/cell.ts";';
  const built = await importPatched<{ runCell: typeof runCell }>(entry, patchFiles([patch]));
  return built.runCell({ ...options, core: coreModule });
}

describe("a driver that uses pages before it is answered", () => {
  const patch = {
    file: "runtime/balloon/device-queues.ts",
    find: "return this.core.balloon_deflate(pages);",
    replace: "return this.core.balloon_deflate_untold(pages);",
  };
  const used = "must tell first; unlocked 2048; told 1024 of 1024; used 1024 unanswered";

  it.each<[HostDesignName, string]>([
    ["plain", `must tell first; unlocked 0; ${TELLS_LATE}; ${SAFE}`],
    ["locked", `${used}; ${HIT}`],
    ["locked-always", `${used}; ${HIT}`],
    ["refusing", `${used}; ${HIT}`],
    ["two-bit", may(0, TELLS_LATE)],
  ])("comes out on a host that is %s", async (host, wanted) => {
    const cell = await runMutant(patch, { persona: "ballonet", host });
    expect(line(cell)).toBe(wanted);
    const told = cell.verdicts.map(({ rule }) => rule).includes("D10");
    expect(told).toBe(host !== "two-bit");
  });
});

describe("a driver that goes by what is offered", () => {
  const patch = {
    file: "runtime/balloon/bring-up-plan.ts",
    find: "checkDeflateAllowed(tunables.deflateMode, negotiation.negotiated, settings.dialect);",
    replace: "checkDeflateAllowed(tunables.deflateMode, negotiation.offered, settings.dialect);",
  };

  it("comes out as one that begins to tell when its host could be told", async () => {
    const reads = {
      file: "runtime/balloon/turn.ts",
      find: "const order = deflateOrder(tunables.deflateMode, this.negotiated, settings.dialect);",
      replace: `const offered = BigInt(this.options.session.transport.deviceFeatures(0));
    const order = deflateOrder(tunables.deflateMode, offered, settings.dialect);`,
    };
    const options = { persona: "openbsd", host: "locked", path: "to-new" } as const;
    expect(line(await runMutant(reads, options))).toBe(may(0, TELLS_FIRST));
    expect(line(await run(options))).toBe(may(0, TELLS_LATE));
  });

  it("comes out as one that does not come up", async () => {
    const cell = await runMutant(patch, { persona: "windows", host: "locked" });
    expect(cell.refused?.code).toBe("config");
  });
});
