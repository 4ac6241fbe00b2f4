/**
 * The machines, devices and drivers that the driver's properties are tried with, as plain values.
 *
 * What a setup says is legal: whatever goes wrong under it is a bug of driver or device.
 */
import fc from "fast-check";
import type { DeflateMode, DiscoverOptions, PersonaName } from "../../../runtime/index.ts";
import {
  type Completion,
  type MachineOptions,
  type ProfileName,
  profiles,
  type RuleId,
} from "../../../src/device/index.ts";

/** How driver and device come together. */
interface Way {
  readonly transport: NonNullable<MachineOptions["transport"]>;
  /** What the driver does where there is a choice. */
  readonly prefer: NonNullable<DiscoverOptions["prefer"]>;
  readonly interrupts: NonNullable<DiscoverOptions["interrupts"]>;
  /** On PCI: entries of the MSI-X table, how many messages there are for them, and how many it refuses. */
  readonly vectors: number;
  readonly messages: number;
  readonly refusedVectors: number;
}

export interface Setup {
  readonly seed: number;
  readonly profile: ProfileName;
  readonly way: Way;
  readonly persona: PersonaName;
  readonly declinesMustTellHost: boolean;
  readonly deflateMode: DeflateMode;
  /** Whether the driver may ever be told to deflate silently. */
  readonly silent: boolean;
  readonly offer: {
    readonly mustTellHost: boolean;
    readonly statsVq: boolean;
    readonly deflateOnOom: boolean;
    readonly eventIdx: boolean;
    readonly indirect: boolean;
  };
  /** How many feature sets the device refuses at first. */
  readonly refusals: number;
  readonly ringSize: number;
  readonly queueSizeMax: number;
  readonly buffersInFlight: number;
  readonly pfnsPerBuffer: number;
  /** Frames of RAM, and after how many of them lies a hole of how many. */
  readonly frames: number;
  readonly hole: { readonly after: number; readonly frames: number };
  readonly reservePages: number;
  readonly pollMs: number;
  readonly inflate: Completion;
  readonly deflate: Completion;
  readonly quietWhileBusy: boolean;
  readonly usedLength: "zero" | "total" | "pfns";
  readonly staleActual: number;
  /** Where the last target lies, as a part of what is reachable. */
  readonly lastTarget: number;
}

/** Most frames of RAM, and of a hole in it. */
export const FRAMES_MAX = 1200;
export const HOLE_MAX = 40;
/** An acknowledgement that comes this late never comes, unless the test lets it. */
const HUNG_MS = 1_000_000;

const delay = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.constant(HUNG_MS) },
);

const completion: fc.Arbitrary<Completion> = fc.oneof(
  fc.constant({ kind: "immediate" } as const),
  fc.record({ kind: fc.constant("late" as const), ms: delay }),
  fc.record({ kind: fc.constant("shuffled" as const), ms: delay }),
  fc.record({ kind: fc.constant("scattered" as const), ms: delay }),
  fc.record({
    kind: fc.constant("batched" as const),
    count: fc.integer({ min: 1, max: 9 }),
    ms: delay,
  }),
);

/**
 * Mostly small, because a sequence costs what its pages cost; sometimes with whole 2 MiB blocks.
 */
const frames = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 64, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 301, max: 700 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1024, max: FRAMES_MAX }) },
);

const powerOfTwo = (mostLog2: number) =>
  fc.integer({ min: 1, max: mostLog2 }).map((log2) => 2 ** log2);

/** Personas that accept MUST_TELL_HOST by themselves. */
const TELLERS: readonly PersonaName[] = ["ballonet", "linux", "openbsd"];

/** Whether MUST_TELL_HOST may be negotiated under this setup. */
export function mayHaveToTell(setup: Setup): boolean {
  const { persona, offer, declinesMustTellHost } = setup;
  return offer.mustTellHost && !declinesMustTellHost && TELLERS.includes(persona);
}

/** Personas that send a buffer only when memory for all of it is there. */
const ALL_OR_NONE: readonly PersonaName[] = ["openbsd", "windows"];

/** The fewest pages that the driver gives when so many are missing. */
export function leastGiven({ persona, pfnsPerBuffer }: Setup, missing: number): number {
  return ALL_OR_NONE.includes(persona) ? Math.min(pfnsPerBuffer, missing) : 1;
}

/**
 * What taking pages back untold breaks: they are used and never told about, `actual` falls by
 * itself, and later the same page is given to a host that never gave it back.
 */
const SILENT_RULES: readonly RuleId[] = [
  "D9",
  "D14",
  "Q-ACTUAL-BURST",
  "Q-ACTUAL-EARLY",
  "Q-PFN-HELD",
];

/**
 * What a persona breaks because its original does. Most do not repair what an earlier guest left in
 * `actual`, nor accept bits that mean nothing to a balloon.
 */
const PERSONA_RULES: { readonly [persona in PersonaName]?: readonly RuleId[] } = {
  linux: ["Q-ACTUAL-INIT", "L-ANY-LAYOUT", "G-NOTIFY-EARLY"],
  freebsd: ["Q-ACTUAL-INIT", "L-ANY-LAYOUT"],
  openbsd: ["Q-ACTUAL-INIT"],
  windows: ["Q-ACTUAL-INIT", "L-ANY-LAYOUT", "Q-ACTUAL-BURST", "D7", "D20-INIT"],
};

/** The rules that a setup departs from on purpose. */
export function waived(setup: Setup): RuleId[] {
  const rules: RuleId[] = [];
  // Those drivers decline the bit; so does ours when it is told to, or after three refusals.
  const accepts = mayHaveToTell(setup) && setup.refusals < 3;
  if (setup.offer.mustTellHost && !accepts) rules.push("D1");
  rules.push(...(PERSONA_RULES[setup.persona] ?? []));
  if (setup.silent) rules.push(...SILENT_RULES);
  return rules;
}

/** libkrun's device takes everything and returns nothing. */
export function answers(setup: Setup): boolean {
  return profiles[setup.profile].balloon.returns !== "never";
}

const way: fc.Arbitrary<Way> = fc.record({
  transport: fc.oneof(
    { weight: 2, arbitrary: fc.constant("modern" as const) },
    { weight: 2, arbitrary: fc.constantFrom("legacy" as const, "transitional" as const) },
    { weight: 1, arbitrary: fc.constantFrom("mmio" as const, "legacy-mmio" as const) },
  ),
  prefer: fc.constantFrom("modern" as const, "legacy" as const),
  interrupts: fc.oneof(
    { weight: 4, arbitrary: fc.constant("best" as const) },
    { weight: 1, arbitrary: fc.constantFrom("line" as const, "polling" as const) },
  ),
  vectors: fc.constantFrom(0, 0, 1, 2, 3, 8),
  messages: fc.constantFrom(32, 32, 2, 0),
  refusedVectors: fc.constantFrom(0, 0, 0, 1, 2, 9),
});

/** Profiles whose BAR 0 has room for the older interface beside theirs. */
const ROOMY: readonly ProfileName[] = ["strict", "qemu", "libkrun"];

/** What a way has no choice in: the older PCI interface has fixed queues, MMIO has one wire. */
function fitted(setup: Setup): Setup {
  const { way, profile, ringSize, queueSizeMax } = setup;
  switch (way.transport) {
    case "modern":
      return setup;
    case "mmio":
    case "legacy-mmio":
      return { ...setup, way: { ...way, vectors: 0 } };
    case "legacy":
    case "transitional": {
      const transport = ROOMY.includes(profile) ? way.transport : "legacy";
      const fixed = Math.max(ringSize, queueSizeMax);
      return { ...setup, queueSizeMax: fixed, way: { ...way, transport } };
    }
  }
}

export const anySetup: fc.Arbitrary<Setup> = fc
  .record({
    seed: fc.integer({ min: 1, max: 0x7fff_ffff }),
    profile: fc.constantFrom(...(Object.keys(profiles) as ProfileName[])),
    way,
    persona: fc.oneof(
      { weight: 5, arbitrary: fc.constant("ballonet" as const) },
      {
        weight: 2,
        arbitrary: fc.constantFrom<PersonaName>("linux", "windows", "freebsd", "openbsd"),
      },
    ),
    declinesMustTellHost: fc.boolean(),
    deflateMode: fc.constantFrom<DeflateMode>("tell-first", "use-first", "tell-if-must"),
    silent: fc.constant(false),
    offer: fc.record({
      mustTellHost: fc.boolean(),
      statsVq: fc.boolean(),
      deflateOnOom: fc.boolean(),
      eventIdx: fc.boolean(),
      indirect: fc.boolean(),
    }),
    refusals: fc.oneof(
      { weight: 9, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) },
    ),
    ringSize: powerOfTwo(8),
    queueSizeMax: fc.integer({ min: 2, max: 256 }),
    buffersInFlight: fc.integer({ min: 1, max: 32 }),
    pfnsPerBuffer: fc.oneof(
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 256 }),
      fc.constant(256),
    ),
    frames,
    hole: fc.record({
      after: fc.integer({ min: 1, max: 63 }),
      frames: fc.integer({ min: 0, max: HOLE_MAX }),
    }),
    reservePages: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 80 })),
    pollMs: fc.integer({ min: 100, max: 2000 }),
    inflate: completion,
    deflate: completion,
    quietWhileBusy: fc.boolean(),
    usedLength: fc.constantFrom("zero", "total", "pfns"),
    staleActual: fc.constantFrom(0, 7),
    lastTarget: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(fitted)
  .map((setup) => (mayHaveToTell(setup) ? { ...setup, deflateMode: "tell-first" } : setup));

/** The instrument that no specification allows, where it can be asked for at all. */
export const silentSetup: fc.Arbitrary<Setup> = anySetup.map((setup) => ({
  ...setup,
  declinesMustTellHost: true,
  deflateMode: "silent",
  silent: true,
}));
