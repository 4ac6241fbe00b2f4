/**
 * The personas: what other drivers do on the wire, as settings.
 *
 * A host sees features, queues, the order of messages and the values of `actual`. A persona does
 * all of that as its original, which was read in the source that is named with it. Personas differ
 * in settings alone: no code asks for a persona's name.
 *
 * Two things are not reproduced. Most drivers give back their youngest page first; here it is the
 * lowest, because the ledger keeps no history. FreeBSD 14 accepts MUST_TELL_HOST: that is `freebsd`
 * with `mustTellHost: "accept"`.
 */
import { FOLLOW_DEFAULTS } from "../policy/follow.ts";
import { FEATURE } from "../virtio/constants.ts";
import { BALLOON_FEATURE } from "./constants.ts";
import type { DriverSettings } from "./settings.ts";

/** 1 MiB, so that a guest on its last pages still answers. */
const RESERVE_PAGES = 256;
/** A look costs about 2000 instructions, and a lost interrupt costs at most a second. */
const POLL_MS = 1000;
/** The other drivers wait for interrupts alone: an hour is as good as never. */
const HARDLY_EVER_MS = 3_600_000;
/** Larger rings gain nothing: buffers in flight are bounded, not entries. */
const QUEUE_SIZE = 256;
/** 64 MiB in flight at once: the host is never without work, and the arena stays small. */
const BUFFERS_IN_FLIGHT = 64;
const PFNS_PER_BUFFER = 256;
/** 1 GiB a second: memory is back at the host soon, and it never sees a flood. */
const REPORT_PAGES_PER_SECOND = 262_144;
const ALL_PAGES = 0xffff_ffff;

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
    FEATURE.ORDER_PLATFORM,
    FEATURE.NOTIFICATION_DATA,
    FEATURE.NOTIF_CONFIG_DATA,
    FEATURE.RING_RESET,
  ],
  decline: [],
  dialect: "standard",
  deflateMode: "tell-first",
  deflateBuffers: "exact",
  queueSizeMax: QUEUE_SIZE,
  buffersInFlight: BUFFERS_IN_FLIGHT,
  pfnsPerBuffer: PFNS_PER_BUFFER,
  wholeBuffers: false,
  frames: "blocks-first",
  actualAtStart: true,
  actualWrites: "burst",
  actualReadBack: false,
  targetReads: "changed",
  reservePages: RESERVE_PAGES,
  targetSharePercent: 100,
  movePagesPerSecond: Number.POSITIVE_INFINITY,
  turnsPerSecond: Number.POSITIVE_INFINITY,
  scrubGiven: false,
  scrubReturned: false,
  statisticsDetail: "exact",
  oomPagesMost: ALL_PAGES,
  oomUnasked: false,
  follow: FOLLOW_DEFAULTS,
  pollMs: POLL_MS,
  newerStatistics: false,
  firstStatistics: undefined,
  notifiesEarly: false,
  poison: undefined,
  reportPagesPerSecond: REPORT_PAGES_PER_SECOND,
  reportFirst: true,
  quietHints: true,
  pauseAfterFeaturesMs: 0,
  seed: 1,
};

/** What most of the others have in common: one buffer at a time, one page after the other. */
const ONE_BY_ONE: DriverSettings = {
  ...BALLONET,
  buffersInFlight: 1,
  frames: "lowest",
  actualAtStart: false,
  targetReads: "each-step",
  reportFirst: false,
  quietHints: false,
  pollMs: HARDLY_EVER_MS,
};

/** Tries again after the same time for ever; without a time, only after an interrupt. */
function retry(retryMs = Number.POSITIVE_INFINITY) {
  return { retryMs, retryMostMs: retryMs, holdOffMs: 0, jitter: 0 };
}

/** Lets the types say of each persona that it is one, and not what it is. */
function settings(all: DriverSettings): DriverSettings {
  return all;
}

export const PERSONAS = {
  ballonet: BALLONET,
  /** drivers/virtio/virtio_balloon.c: always tells and waits; notifies before DRIVER_OK. */
  linux: settings({
    ...ONE_BY_ONE,
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
    oomPagesMost: 256,
    follow: retry(200),
    newerStatistics: true,
    notifiesEarly: true,
  }),
  /**
   * sys/dev/virtio/balloon/virtio_balloon.c, up to FreeBSD 13: accepts no balloon bit, and tells
   * first all the same.
   */
  freebsd: settings({ ...ONE_BY_ONE, persona: "freebsd", accept: [], follow: retry(1000) }),
  /**
   * sys/dev/pv/viomb.c: tells first only where it must, and reads `actual` back. The original takes
   * what it reads for its own count; this persona does not, for with a value from before a reboot
   * it would send page numbers that it never took.
   */
  openbsd: settings({
    ...ONE_BY_ONE,
    persona: "openbsd",
    accept: [BALLOON_FEATURE.MUST_TELL_HOST, FEATURE.ANY_LAYOUT, FEATURE.INDIRECT_DESC],
    deflateMode: "tell-if-must",
    wholeBuffers: true,
    actualReadBack: true,
    follow: retry(),
  }),
  /**
   * Balloon/sys/balloon.c and Device.c: accepts STATS_VQ alone, frees first and tells last, 512
   * page numbers at a time, all or none, and gives back as many at a time as it once took. The
   * first statistics are all ones; every interrupt makes it say its size.
   */
  windows: settings({
    ...ONE_BY_ONE,
    persona: "windows",
    accept: [BALLOON_FEATURE.STATS_VQ],
    deflateMode: "use-first",
    deflateBuffers: "as-inflated",
    pfnsPerBuffer: 512,
    wholeBuffers: true,
    actualWrites: "each-wake",
    targetReads: "each-wake",
    follow: retry(),
    firstStatistics: { tag: 0xffff, value: Number.POSITIVE_INFINITY, bytes: 100 },
  }),
  /**
   * src/virtio/virtio_balloon.c: aligned pieces of 1 MiB and nothing else, all of them in flight at
   * once, the last 16 MiB never; gives back when memory is short, whether or not that was agreed.
   * The first statistics buffer has 8 bytes.
   */
  nanos: settings({
    ...BALLONET,
    persona: "nanos",
    accept: [BALLOON_FEATURE.MUST_TELL_HOST, BALLOON_FEATURE.STATS_VQ],
    deflateMode: "tell-if-must",
    buffersInFlight: 256,
    wholeBuffers: true,
    frames: "units",
    actualWrites: "each-buffer",
    reservePages: 4096,
    oomUnasked: true,
    follow: { ...retry(5000), holdOffMs: Number.POSITIVE_INFINITY },
    pollMs: HARDLY_EVER_MS,
    firstStatistics: { tag: 0, value: 0, bytes: 8 },
    reportFirst: false,
  }),
  /** No driver's: an instrument that never tells. It declines the bit that would forbid that. */
  silent: settings({
    ...BALLONET,
    persona: "silent",
    accept: BALLONET.accept.filter((bit) => bit !== BALLOON_FEATURE.MUST_TELL_HOST),
    deflateMode: "silent",
  }),
} as const satisfies Record<string, DriverSettings>;

/**
 * The drivers whose wire behaviour can be had: `ballonet` is this driver's own, `silent` an
 * instrument that never tells its host of a deflate, the others are named after their systems.
 */
export type PersonaName = keyof typeof PERSONAS;

/** All persona names, `ballonet` first. */
export const PERSONA_NAMES = Object.keys(PERSONAS) as readonly PersonaName[];
