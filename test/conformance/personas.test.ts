/**
 * The personas as a host sees them: everything that is visible on the wire, in order.
 *
 * One script for all: up to 1500 pages, down to 600, a request for statistics. Each persona's trace
 * is on file here, and it breaks exactly the rules that its original breaks.
 */
import { describe, expect, it } from "vitest";
import type { RuleId, TraceEntry } from "../../src/device/index.ts";
import { PERSONA_NAMES, type PersonaName } from "../../src/index.ts";
import { createTestVm, type TestVm } from "../support/vm.ts";

/** 24 MiB: nanos leaves 16 of them alone. */
const FRAMES = 6144;
const late = { kind: "late", ms: 20 } as const;

interface Wire {
  readonly negotiated: string;
  readonly start: readonly string[];
  readonly inflate: readonly string[];
  readonly deflate: readonly string[];
  readonly statistics: readonly string[];
  /** What a strict device has against it. */
  readonly broken: readonly RuleId[];
}

/** What a host sees in one entry of the trace, in a word or two. */
function word({ kind, what, fields = {} }: TraceEntry): string | undefined {
  if (kind === "device") {
    if (what === "read num_pages") return "look";
    return what === "read actual" ? `reads ${fields.value}` : `actual ${fields.value}`;
  }
  if (kind === "common" && what === "write device_status") {
    return fields.value === 15 ? "DRIVER_OK" : undefined;
  }
  if (kind === "notify") return fields.value === 2 ? "kick statsq" : undefined;
  if (kind !== "queue") return undefined;
  if (what === "inflate" || what === "deflate") {
    return `${what} ${fields.pages} from ${fields.first}`;
  }
  if (what === "stats sample") return `${fields.entries} statistics`;
  return what.endsWith(" return") ? "acked" : undefined;
}

/** The words since an entry of the trace; what is said several times in a row is said once. */
function words(vm: TestVm, after: number): string[] {
  const all = vm.machine.trace.entries().filter(({ n }) => n > after);
  const said = all.map(word).filter((one) => one !== undefined);
  const once = said.filter((one, n) => one !== said[n - 1]);
  // Without anything to do, looks come from the clock alone.
  while (once.at(-1) === "look") once.pop();
  return once;
}

/** Up from `held` pages by buffers of so many, each acked before `actual` is written. */
function steps(
  kind: "inflate" | "deflate",
  held: number,
  buffers: readonly (readonly [number, number])[],
  { look = true, readsBack = false } = {},
): string[] {
  let actual = held;
  return buffers.flatMap(([pages, first]) => {
    actual += kind === "inflate" ? pages : -pages;
    const seen = [`${kind} ${pages} from ${first}`, "acked"];
    if (look) seen.push("look");
    seen.push(`actual ${actual}`);
    if (readsBack) seen.push(`reads ${actual}`);
    return seen;
  });
}

/** 256 pages at a time, the lowest first. */
const UP = [
  [256, 1],
  [256, 257],
  [256, 513],
  [256, 769],
  [256, 1025],
  [220, 1281],
] as const;
const DOWN = [
  [256, 1],
  [256, 257],
  [256, 513],
  [132, 769],
] as const;

const WHOLE_BLOCKS_FIRST = [
  "look",
  "inflate 256 from 512",
  "inflate 256 from 768",
  "inflate 256 from 1024",
  "inflate 256 from 1280",
  "inflate 256 from 1",
  "inflate 220 from 257",
  "acked",
  "look",
  "actual 1500",
];

const WIRES: Record<PersonaName, Wire> = {
  ballonet: {
    negotiated: "MUST_TELL_HOST STATS_VQ DEFLATE_ON_OOM INDIRECT_DESC EVENT_IDX VERSION_1",
    start: ["DRIVER_OK", "kick statsq", "10 statistics", "actual 0"],
    inflate: WHOLE_BLOCKS_FIRST,
    deflate: [
      "look",
      "deflate 256 from 512",
      "deflate 256 from 768",
      "deflate 256 from 1",
      "deflate 132 from 257",
      "acked",
      "look",
      "actual 600",
    ],
    statistics: ["acked", "kick statsq", "10 statistics"],
    broken: [],
  },
  linux: {
    negotiated: "MUST_TELL_HOST STATS_VQ DEFLATE_ON_OOM EVENT_IDX VERSION_1",
    start: ["kick statsq", "DRIVER_OK", "16 statistics"],
    inflate: ["look", ...steps("inflate", 0, UP)],
    deflate: ["look", ...steps("deflate", 1500, DOWN)],
    statistics: ["acked", "kick statsq", "16 statistics"],
    broken: ["G-NOTIFY-EARLY", "Q-ACTUAL-INIT"],
  },
  freebsd: {
    negotiated: "VERSION_1",
    start: ["DRIVER_OK"],
    inflate: ["look", ...steps("inflate", 0, UP)],
    deflate: ["look", ...steps("deflate", 1500, DOWN)],
    statistics: [],
    broken: ["D1", "Q-ACTUAL-INIT"],
  },
  openbsd: {
    negotiated: "MUST_TELL_HOST INDIRECT_DESC VERSION_1",
    start: ["DRIVER_OK"],
    inflate: ["look", ...steps("inflate", 0, UP, { readsBack: true })],
    deflate: ["look", ...steps("deflate", 1500, DOWN, { readsBack: true })],
    statistics: [],
    broken: ["Q-ACTUAL-INIT"],
  },
  windows: {
    negotiated: "STATS_VQ VERSION_1",
    start: ["DRIVER_OK", "kick statsq", "10 statistics", "look", "actual 0"],
    inflate: [
      "look",
      ...steps("inflate", 0, [
        [512, 1],
        [512, 513],
        [476, 1025],
      ]),
    ],
    // By what it once took, so below the target, and up again.
    deflate: [
      "look",
      ...steps("deflate", 1500, [
        [476, 1],
        [512, 477],
      ]),
      ...steps("inflate", 512, [[88, 1]]),
    ],
    statistics: ["acked", "kick statsq", "10 statistics", "look", "actual 600"],
    broken: ["D1", "D20-INIT", "D7", "Q-ACTUAL-BURST", "Q-BUFFER-CAP"],
  },
  nanos: {
    negotiated: "MUST_TELL_HOST STATS_VQ VERSION_1",
    start: ["DRIVER_OK", "kick statsq", "actual 0"],
    inflate: [
      "look",
      ...[256, 512, 768, 1024, 1280, 1536].map((first) => `inflate 256 from ${first}`),
      "acked",
      "look",
      ...[256, 512, 768, 1024, 1280, 1536].map((pages) => `actual ${pages}`),
    ],
    deflate: [
      "look",
      ...[256, 512, 768].map((first) => `deflate 256 from ${first}`),
      "acked",
      "look",
      ...[1280, 1024, 768].map((pages) => `actual ${pages}`),
    ],
    statistics: ["acked", "kick statsq", "10 statistics"],
    broken: ["D20", "Q-ACTUAL-BURST"],
  },
  silent: {
    negotiated: "STATS_VQ DEFLATE_ON_OOM INDIRECT_DESC EVENT_IDX VERSION_1",
    start: ["DRIVER_OK", "kick statsq", "10 statistics", "actual 0"],
    inflate: WHOLE_BLOCKS_FIRST,
    deflate: ["look", "actual 600"],
    statistics: ["acked", "kick statsq", "10 statistics"],
    broken: ["D1", "D9"],
  },
};

function make(persona: PersonaName, offer = {}): Promise<TestVm> {
  const machine = { completion: late, ringSize: 256, offer };
  return createTestVm({ frames: FRAMES, settings: { persona }, machine });
}

function broken(vm: TestVm): RuleId[] {
  return [...new Set(vm.machine.verdicts.map(({ rule }) => rule))].sort();
}

describe.each(PERSONA_NAMES)("persona %s", (persona) => {
  const wire = WIRES[persona];

  it("shows on the wire what its original shows", async () => {
    const vm = await make(persona);
    const seen: string[][] = [];
    const acts = [
      () => vm.machine.check(),
      () => vm.machine.setTarget(1500),
      () => vm.machine.setTarget(600),
      () => vm.machine.requestStats(),
    ];
    let after = 0;
    for (const act of acts) {
      act();
      vm.settle();
      seen.push(words(vm, after));
      after = vm.machine.trace.last;
    }
    vm.machine.check();
    expect(vm.balloon.status()).toMatchObject({ persona, negotiated: wire.negotiated });
    const { start, inflate, deflate, statistics } = wire;
    expect(seen).toEqual([start, inflate, deflate, statistics]);
    expect(broken(vm)).toEqual(wire.broken);
  });
});

/** When pages that were asked back are the guest's: before the host has answered, or after. */
describe.each<[PersonaName, { mustTellHost: boolean }, "at once" | "when acked"]>([
  ["ballonet", { mustTellHost: true }, "when acked"],
  ["ballonet", { mustTellHost: false }, "when acked"],
  ["linux", { mustTellHost: true }, "when acked"],
  ["linux", { mustTellHost: false }, "when acked"],
  ["freebsd", { mustTellHost: true }, "when acked"],
  ["freebsd", { mustTellHost: false }, "when acked"],
  ["openbsd", { mustTellHost: true }, "when acked"],
  ["openbsd", { mustTellHost: false }, "at once"],
  ["windows", { mustTellHost: true }, "at once"],
  ["windows", { mustTellHost: false }, "at once"],
  ["nanos", { mustTellHost: true }, "when acked"],
  ["nanos", { mustTellHost: false }, "at once"],
  ["silent", { mustTellHost: true }, "at once"],
  ["silent", { mustTellHost: false }, "at once"],
])("persona %s, %j", (persona, offer, when) => {
  it(`has its pages back ${when}`, async () => {
    const vm = await make(persona, offer);
    vm.machine.setTarget(1024);
    vm.settle();
    const { free } = vm.balloon.counts();
    vm.machine.setTarget(0);
    expect(vm.balloon.interrupt()).toBe(true);
    const { free: then } = vm.balloon.counts();
    expect(then > free).toBe(when === "at once");
    const most = vm.guest.grow(then, 9);
    expect(most).toBe(then);
    vm.settle();
    expect(vm.guest.verify()).toBe(0);
    vm.machine.check();
    expect(broken(vm)).not.toContain("D10");
  });
});

describe("memory that is not there", () => {
  /** The guest has 700 free frames beside what a persona leaves alone; the host wants 2000. */
  async function short(persona: PersonaName): Promise<TestVm> {
    const vm = await make(persona);
    const { reservePages } = vm.balloon.status();
    vm.guest.grow(vm.balloon.counts().free - reservePages - 700, 1);
    vm.machine.setTarget(2000);
    vm.settle();
    return vm;
  }

  it.each<[PersonaName, number]>([
    ["ballonet", 700],
    ["linux", 700],
    ["freebsd", 700],
    ["openbsd", 512],
    ["windows", 512],
    ["nanos", 512],
  ])("%s gives %i pages of it", async (persona, pages) => {
    const vm = await short(persona);
    expect(vm.machine.heldPages).toBe(pages);
    expect(vm.guest.verify()).toBe(0);
  });

  /** Looks at an unchanged target within two minutes of virtual time. */
  it.each<[PersonaName, number]>([
    ["linux", 200],
    ["freebsd", 1000],
    ["nanos", 5000],
  ])("%s tries again every %i ms", async (persona, ms) => {
    const vm = await short(persona);
    const times: number[] = [];
    for (let n = 0; n < 4; n++) {
      const next = vm.balloon.step() ?? 0;
      times.push(next - vm.machine.nowMs);
      vm.machine.advance(next - vm.machine.nowMs);
    }
    for (const wait of times.slice(1)) expect(Math.abs(wait - ms)).toBeLessThan(1);
  });

  it.each<PersonaName>(["openbsd", "windows"])("%s waits to be told", async (persona) => {
    const vm = await short(persona);
    const next = vm.balloon.step() ?? 0;
    expect(next - vm.machine.nowMs).toBeGreaterThan(60_000);
  });
});

/** Pages that are asked back when the guest, all of its frames in use, wants 600 more. */
async function askedBack(persona: PersonaName, deflateOnOom: boolean): Promise<[number, TestVm]> {
  const vm = await make(persona, { deflateOnOom });
  vm.machine.setTarget(1024);
  vm.settle();
  vm.guest.grow(vm.balloon.counts().free, 2);
  expect(vm.balloon.allocate(600)).toBeUndefined();
  return [vm.machine.deflatingPages, vm];
}

describe("a guest that runs short", () => {
  it.each<[PersonaName, boolean, number]>([
    ["linux", true, 256],
    ["linux", false, 0],
    ["ballonet", false, 0],
    ["freebsd", true, 0],
    ["openbsd", true, 0],
    ["windows", true, 0],
  ])("%s, DEFLATE_ON_OOM %s: asks %i pages back at a time", async (persona, oom, pages) => {
    const [asked, vm] = await askedBack(persona, oom);
    expect(asked).toBe(pages);
    expect(broken(vm)).not.toContain("D7");
  });

  it("nanos takes whole units, and does not ask whether it may", async () => {
    const [asked, vm] = await askedBack("nanos", false);
    expect(asked).toBeGreaterThanOrEqual(768);
    expect(asked % 256).toBe(0);
    expect(broken(vm)).toContain("D7");
  });
});
