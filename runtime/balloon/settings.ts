/** The settings of a driver: everything in which one balloon driver differs from another. */
import { BUFFERS_LIMIT, PFNS_LIMIT, QUEUE_SIZE_LIMIT } from "../core/exports.ts";
import { configError } from "../errors.ts";
import type { FollowOptions } from "../policy/follow.ts";
import { PORTIONS_PER_SECOND } from "./allowance.ts";
import { checkDeflateMode, type DeflateMode, DIALECTS, type Dialect } from "./deflate-order.ts";

/** Frames of one block, and of one unit where frames are taken block by block. */
const BLOCK_FRAMES = 512;
/** One portion of the allowance has to be a whole buffer, and one turn. */
const MOVES_LEAST = 512 * PORTIONS_PER_SECOND;
const TURNS_LEAST = PORTIONS_PER_SECOND;

/** How much statistics may say, most first. */
export const STATISTICS_DETAILS = ["exact", "coarse"] as const;
/** How much statistics say: all that is known, or sixteenths of memory and no counts. */
export type StatisticsDetail = (typeof STATISTICS_DETAILS)[number];

/** A statistics buffer that says nothing: the same entry over and over. */
export interface FirstStatistics {
  readonly tag: number;
  /** Infinity is all ones. */
  readonly value: number;
  /** Length of the buffer; the last entry may be cut. */
  readonly bytes: number;
}

/** All settings of one driver. `makeSettings` makes them from a persona and changes to it. */
export interface DriverSettings {
  /** The name of the persona that these were made from. */
  readonly persona: string;
  /** Feature bits to accept where they are offered. All others are declined. */
  readonly accept: readonly number[];
  /**
   * Feature bits that are never accepted, also where the queue of another one cannot be told
   * without them: that one is declined, too.
   */
  readonly decline: readonly number[];
  /** By which feature bits the deflate mode is agreed on. */
  readonly dialect: Dialect;
  /** In which order pages are taken back and the host is told. */
  readonly deflateMode: DeflateMode;
  /** Whether a deflate is as large as asked for, or as the inflate that it undoes. */
  readonly deflateBuffers: "exact" | "as-inflated";
  /** Entries of each ring, at most; the device may have fewer. */
  readonly queueSizeMax: number;
  /** Buffers that the device may have at once, per queue. */
  readonly buffersInFlight: number;
  /** Page frame numbers in one buffer. Many devices take no more than 256. */
  readonly pfnsPerBuffer: number;
  /** Whether a buffer is sent only when memory for all of it is there. */
  readonly wholeBuffers: boolean;
  /**
   * Which frames go first: those of whole 2 MiB blocks, the lowest, or aligned units of exactly
   * `pfnsPerBuffer` frames and none besides, the target being rounded up to them.
   */
  readonly frames: "blocks-first" | "lowest" | "units";
  /** Writes `actual` = 0 when the device starts: some keep an old value over a guest's reboot. */
  readonly actualAtStart: boolean;
  /**
   * When `actual` is written: once for all that came back together, for each buffer, or, changed or
   * not, whenever an interrupt has woken the driver and nothing is in flight.
   */
  readonly actualWrites: "burst" | "each-buffer" | "each-wake";
  /** Reads `actual` after each write. */
  readonly actualReadBack: boolean;
  /** When num_pages is read: at a configuration change, after each answer, at each interrupt. */
  readonly targetReads: "changed" | "each-step" | "each-wake";
  /** Free pages that inflating leaves to the guest. */
  readonly reservePages: number;
  /** The largest share of all RAM, in percent, that inflating or hinting lets the host have. */
  readonly targetSharePercent: number;
  /** The most pages that the host's wishes move in one second; Infinity for no bound. */
  readonly movePagesPerSecond: number;
  /** The most turns that a device can cause in one second; Infinity for no bound. */
  readonly turnsPerSecond: number;
  /** Whether pages are filled, with the poison or 0, before the host gets them. */
  readonly scrubGiven: boolean;
  /** Whether they are filled when they come back, whatever the host says is in them. */
  readonly scrubReturned: boolean;
  readonly statisticsDetail: StatisticsDetail;
  /** The most pages that one call of `shortage` gets back. */
  readonly oomPagesMost: number;
  /** Gives pages back in a shortage also without DEFLATE_ON_OOM (against virtio 1.3, 5.5.6.1). */
  readonly oomUnasked: boolean;
  /** Options of the policy `follow`, which is used where no policy is chosen. */
  readonly follow: FollowOptions;
  /** Milliseconds between looks at a device that does not interrupt: interrupts get lost. */
  readonly pollMs: number;
  /** Whether the six statistics that Linux 6.12 added are sent, too; some devices break on them. */
  readonly newerStatistics: boolean;
  /** What the first statistics buffer holds; undefined: statistics. */
  readonly firstStatistics: FirstStatistics | undefined;
  /** Notifies the statsq before DRIVER_OK (against virtio 1.3, 3.1.1). */
  readonly notifiesEarly: boolean;
  /**
   * What free memory is filled with; undefined: nothing. PAGE_POISON is accepted only with it, and
   * PAGE_REPORTING with it only together with PAGE_POISON (virtio 1.3, 5.5.3.1).
   */
  readonly poison: number | undefined;
  /** The most free pages that are reported to the host in one second. */
  readonly reportPagesPerSecond: number;
  /** Whether free blocks about to be inflated are reported first, where that is negotiated. */
  readonly reportFirst: boolean;
  /** Waits so long between reading the features and accepting some: time to be migrated. */
  readonly pauseAfterFeaturesMs: number;
  /**
   * Whether EVENT_IDX is declined where the free page queue could not be kept quiet with it: some
   * hosts break when they have to interrupt for that queue.
   */
  readonly quietHints: boolean;
  /** Seed of the back-off's jitter. */
  readonly seed: number;
}

function checkInteger(name: keyof DriverSettings, value: number, least: number, most: number) {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw configError(
    `setting ${name}`,
    String(value),
    `give a whole number from ${least} to ${most}`,
  );
}

function checkRate(name: keyof DriverSettings, value: number, least: number) {
  if (value !== Number.POSITIVE_INFINITY) checkInteger(name, value, least, 0xffff_ffff);
}

function checkChoice(name: keyof DriverSettings, value: string, choices: readonly string[]) {
  if (choices.includes(value)) return;
  throw configError(`setting ${name}`, `"${value}"`, `choose one of ${choices.join(", ")}`);
}

/**
 * Checks settings one by one. Whether the features of a device allow them together is known only
 * once they are negotiated.
 * @throws BallonetError `config` on any that makes no sense.
 */
export function checkSettings(settings: DriverSettings): void {
  checkDeflateMode(settings.deflateMode);
  checkChoice("dialect", settings.dialect, DIALECTS);
  checkChoice("frames", settings.frames, ["blocks-first", "lowest", "units"]);
  checkInteger("queueSizeMax", settings.queueSizeMax, 2, QUEUE_SIZE_LIMIT);
  checkInteger("buffersInFlight", settings.buffersInFlight, 1, BUFFERS_LIMIT);
  checkInteger("pfnsPerBuffer", settings.pfnsPerBuffer, 1, PFNS_LIMIT);
  checkInteger("reservePages", settings.reservePages, 0, 0xffff_ffff);
  checkInteger("targetSharePercent", settings.targetSharePercent, 0, 100);
  checkRate("movePagesPerSecond", settings.movePagesPerSecond, MOVES_LEAST);
  checkRate("turnsPerSecond", settings.turnsPerSecond, TURNS_LEAST);
  checkChoice("statisticsDetail", settings.statisticsDetail, STATISTICS_DETAILS);
  checkInteger("pollMs", settings.pollMs, 1, 3_600_000);
  checkInteger("oomPagesMost", settings.oomPagesMost, 1, 0xffff_ffff);
  checkInteger("pauseAfterFeaturesMs", settings.pauseAfterFeaturesMs, 0, 3_600_000);
  if (BLOCK_FRAMES % unitFrames(settings) !== 0) {
    const seen = String(settings.pfnsPerBuffer);
    throw configError("pfnsPerBuffer of units", seen, "give a divisor of 512");
  }
  checkInteger("reportPagesPerSecond", settings.reportPagesPerSecond, 512, 0xffff_ffff);
  if (settings.poison !== undefined) checkInteger("poison", settings.poison, 0, 0xffff_ffff);
}

/** Returns how many frames the core takes at once. */
export function unitFrames({ frames, pfnsPerBuffer }: DriverSettings): number {
  if (frames === "units") return pfnsPerBuffer;
  return frames === "lowest" ? 1 : BLOCK_FRAMES;
}

/** Returns what a target of so many pages is to this driver: rounded up to its units. */
export function attainable(pages: number, { frames, pfnsPerBuffer }: DriverSettings): number {
  return frames === "units" ? Math.ceil(pages / pfnsPerBuffer) * pfnsPerBuffer : pages;
}

/** Returns how many of `totalPages` the host may have. */
export function shareOf(totalPages: number, settings: DriverSettings): number {
  const { frames, pfnsPerBuffer, targetSharePercent } = settings;
  const pages = Math.floor((totalPages * targetSharePercent) / 100);
  return frames === "units" ? pages - (pages % pfnsPerBuffer) : pages;
}
