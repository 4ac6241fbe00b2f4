/**
 * The settings of a driver, and the personas: named sets of them that behave as other drivers do.
 *
 * It must not know how a setting is carried out. Invariant: a persona is settings and nothing else;
 * no code asks for its name. Sources of the facts: the drivers' own, as each persona names them.
 */
import { BUFFERS_LIMIT, PFNS_LIMIT, QUEUE_SIZE_LIMIT } from "../core.ts";
import { BallonetError } from "../errors.ts";
import { BALLOON_FEATURE, FEATURE } from "../virtio/constants.ts";
import { checkDeflateMode, type DeflateMode } from "./deflate.ts";

export interface DriverSettings {
  /** Whose manners these are; for people. */
  readonly persona: string;
  /** Feature bits to accept where they are offered. All others are declined. */
  readonly accept: readonly number[];
  readonly deflateMode: DeflateMode;
  /** Entries of each ring, at most; the device may have fewer. */
  readonly queueSizeMax: number;
  /** Buffers that the device may have at once, per queue. */
  readonly buffersInFlight: number;
  /** Page frame numbers in one buffer. Many devices take no more than 256. */
  readonly pfnsPerBuffer: number;
  /** Writes `actual` = 0 when the device starts: some keep an old value over a guest's reboot. */
  readonly actualAtStart: boolean;
  /** Free pages that inflating leaves to the guest. */
  readonly reservePages: number;
  /** Looks at the device this often though it did not interrupt: interrupts get lost. */
  readonly pollMs: number;
  /** Whether the six statistics that Linux 6.12 added are sent, too. */
  readonly newerStatistics: boolean;
  /**
   * What free memory is filled with; undefined: nothing. PAGE_POISON is accepted only with it, and
   * PAGE_REPORTING with it only together with PAGE_POISON (virtio 1.3, 5.5.3.1).
   */
  readonly poison: number | undefined;
  /** Free pages that are reported to the host in one second, at most. */
  readonly reportPagesPerSecond: number;
  /** Whether free blocks about to be inflated are reported first, where that is negotiated. */
  readonly reportFirst: boolean;
  /** Seed of the back-off's jitter. */
  readonly seed: number;
}

/** 1 MiB, so that a guest on its last pages still answers. */
const RESERVE_PAGES = 256;
/** Two thousand instructions a second: nothing to the host, and a lost interrupt costs a second. */
const POLL_MS = 1000;
/** Larger rings gain nothing: buffers in flight are bounded, not entries. */
const QUEUE_SIZE = 256;
/** 32 MiB on the way at once; the host is never without work, and the arena stays small. */
const BUFFERS_IN_FLIGHT = 32;
const PFNS_PER_BUFFER = 256;
/** 1 GiB a second: memory is back at the host soon, and it never sees a flood. */
const REPORT_PAGES_PER_SECOND = 262_144;

const BALLONET: DriverSettings = {
  persona: "ballonet",
  accept: [
    BALLOON_FEATURE.MUST_TELL_HOST,
    BALLOON_FEATURE.STATS_VQ,
    BALLOON_FEATURE.DEFLATE_ON_OOM,
    BALLOON_FEATURE.FREE_PAGE_HINT,
    BALLOON_FEATURE.PAGE_POISON,
    BALLOON_FEATURE.PAGE_REPORTING,
    FEATURE.ANY_LAYOUT,
    FEATURE.INDIRECT_DESC,
    FEATURE.EVENT_IDX,
    FEATURE.ACCESS_PLATFORM,
    FEATURE.RING_PACKED,
    FEATURE.IN_ORDER,
    FEATURE.NOTIFICATION_DATA,
    FEATURE.RING_RESET,
  ],
  deflateMode: "tell-first",
  queueSizeMax: QUEUE_SIZE,
  buffersInFlight: BUFFERS_IN_FLIGHT,
  pfnsPerBuffer: PFNS_PER_BUFFER,
  actualAtStart: true,
  reservePages: RESERVE_PAGES,
  pollMs: POLL_MS,
  newerStatistics: false,
  poison: undefined,
  reportPagesPerSecond: REPORT_PAGES_PER_SECOND,
  reportFirst: true,
  seed: 1,
};

const PERSONAS = {
  ballonet: BALLONET,
  /** drivers/virtio/virtio_balloon.c: always tells and waits; one buffer at a time. */
  linux: {
    ...BALLONET,
    persona: "linux",
    accept: [
      BALLOON_FEATURE.MUST_TELL_HOST,
      BALLOON_FEATURE.STATS_VQ,
      BALLOON_FEATURE.DEFLATE_ON_OOM,
      BALLOON_FEATURE.FREE_PAGE_HINT,
      BALLOON_FEATURE.PAGE_POISON,
      BALLOON_FEATURE.PAGE_REPORTING,
      FEATURE.EVENT_IDX,
      FEATURE.RING_PACKED,
      FEATURE.RING_RESET,
    ],
    buffersInFlight: 1,
    reportFirst: false,
    actualAtStart: false,
  },
  /** Balloon/sys/balloon.c: accepts STATS_VQ alone, frees first and tells last, 512 PFNs. */
  windows: {
    ...BALLONET,
    persona: "windows",
    accept: [BALLOON_FEATURE.STATS_VQ],
    deflateMode: "use-first",
    buffersInFlight: 1,
    reportFirst: false,
    pfnsPerBuffer: 512,
    actualAtStart: false,
  },
  /** sys/dev/virtio/balloon/virtio_balloon.c: accepts no balloon bit, tells first all the same. */
  freebsd: {
    ...BALLONET,
    persona: "freebsd",
    accept: [FEATURE.EVENT_IDX],
    buffersInFlight: 1,
    reportFirst: false,
    actualAtStart: false,
  },
} as const satisfies Record<string, DriverSettings>;

export type PersonaName = keyof typeof PERSONAS;

export const PERSONA_NAMES = Object.keys(PERSONAS) as readonly PersonaName[];

/** What a caller may change about a persona, and whether to take MUST_TELL_HOST when offered. */
export type SettingsInput = Partial<Omit<DriverSettings, "persona" | "accept">> & {
  readonly persona?: PersonaName;
  readonly mustTellHost?: "accept" | "decline";
};

function bad(what: string, seen: unknown, todo: string): BallonetError {
  return new BallonetError({ code: "config", what, seen: String(seen), todo });
}

function checkInteger(name: keyof DriverSettings, value: number, least: number, most: number) {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw bad(`setting ${name}`, value, `give a whole number from ${least} to ${most}`);
}

/**
 * A persona with the caller's changes.
 * @throws BallonetError `config` on any that makes no sense.
 */
export function makeSettings(input: SettingsInput = {}): DriverSettings {
  const { persona = "ballonet", mustTellHost, ...changes } = input;
  if (!Object.hasOwn(PERSONAS, persona)) {
    throw bad("persona", `"${persona}"`, `choose one of ${PERSONA_NAMES.join(", ")}`);
  }
  const base: DriverSettings = PERSONAS[persona];
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  for (const [name] of given) {
    if (!Object.hasOwn(base, name)) throw bad("settings", `an unknown one, "${name}"`, "remove it");
  }
  const settings: DriverSettings = {
    ...base,
    ...Object.fromEntries(given),
    accept: acceptance(base.accept, mustTellHost),
  };
  // Whether MUST_TELL_HOST forbids the mode is known only once features are negotiated.
  checkDeflateMode(settings.deflateMode, false);
  checkInteger("queueSizeMax", settings.queueSizeMax, 2, QUEUE_SIZE_LIMIT);
  checkInteger("buffersInFlight", settings.buffersInFlight, 1, BUFFERS_LIMIT);
  checkInteger("pfnsPerBuffer", settings.pfnsPerBuffer, 1, PFNS_LIMIT);
  checkInteger("reservePages", settings.reservePages, 0, 0xffff_ffff);
  checkInteger("pollMs", settings.pollMs, 1, 3_600_000);
  checkInteger("reportPagesPerSecond", settings.reportPagesPerSecond, 512, 0xffff_ffff);
  if (settings.poison !== undefined) checkInteger("poison", settings.poison, 0, 0xffff_ffff);
  return settings;
}

function acceptance(accept: readonly number[], mustTellHost: "accept" | "decline" | undefined) {
  if (mustTellHost === undefined) return accept;
  const others = accept.filter((bit) => bit !== BALLOON_FEATURE.MUST_TELL_HOST);
  return mustTellHost === "accept" ? [BALLOON_FEATURE.MUST_TELL_HOST, ...others] : others;
}
