/**
 * The guest's command line: `ballonet.key=value` words. Other words are ignored, among them parts
 * of a path. A word of this form that makes no sense is an error: a guest with other settings would
 * mislead its tester.
 */
import { DEFLATE_MODES, type DeflateMode, DIALECTS } from "../balloon/deflate-order.ts";
import { type FeatureChoice, makeSettings } from "../balloon/make-settings.ts";
import { PERSONA_NAMES, type PersonaName } from "../balloon/personas.ts";
import { type DriverSettings, STATISTICS_DETAILS } from "../balloon/settings.ts";
import { HOST_TRUSTS } from "../balloon/untrusted-host.ts";
import { CONTROL_PORTS, type ControlPort } from "../control-ports.ts";
import { type BallonetError, configError } from "../errors.ts";
import { nearestName } from "../nearest-name.ts";
import { namedPolicy } from "../policy/named.ts";
import type { Policy } from "../policy/policy.ts";
import { INTERRUPT_CHOICES, type InterruptChoice } from "../virtio/interrupts.ts";
import { PCI_INTERFACES, type PciInterface } from "../virtio/pci/open.ts";

/** What the command line says. */
export interface GuestOptions {
  readonly settings: DriverSettings;
  /** Undefined: none is named. */
  readonly policy: Policy | undefined;
  /** The interface to use of a transitional device. */
  readonly prefer: PciInterface;
  readonly interrupts: InterruptChoice;
  /** Whether to wait for a device to be plugged in when there is none. */
  readonly waitForDevice: boolean;
  /** The port of the control channel. Undefined: COM2, or COM1 where that is missing. */
  readonly control: ControlPort | undefined;
}

const PREFIX = "ballonet.";
const YES_OR_NO = ["yes", "no"] as const;
const FEATURE_CHOICES: readonly FeatureChoice[] = ["accept", "decline"];
/** What the boot code keeps of a command line: COMMAND_LINE_MAX of boot/kernel.h. */
const BYTES_MAX = 4096;

/** The keys, and for people what each takes. Error messages list the keys. */
export const COMMAND_LINE_KEYS = {
  persona: PERSONA_NAMES.join(", "),
  host: "trusted or untrusted: how far the driver trusts it (trusted)",
  policy: "follow, gentle, cooperative or report-only",
  deflate: DEFLATE_MODES.join(", "),
  dialect: DIALECTS.join(" or "),
  "must-tell-host": "accept or decline",
  hinting: "accept or decline: show the host where free memory is, when it asks",
  reporting: "accept or decline: show the host where free memory is, always",
  statistics: "exact, coarse or decline",
  "target-share": "percent of memory that the host gets, at most",
  "move-rate": "pages that the host's wishes move in one second, at most",
  "turn-rate": "turns of the driver that the device causes in one second, at most",
  scrub: "yes or no: fill pages before the host gets them, and when they come back",
  reserve: "pages that inflating leaves free",
  buffers: "buffers in flight per queue",
  pfns: "page frame numbers per buffer",
  "queue-size": "entries per ring, at most",
  interface: "modern or legacy, of a device that has both",
  interrupts: "best, line or polling",
  poison: "what free memory is filled with, a number",
  "newer-statistics": "yes or no",
  "wait-for-device": "yes or no: wait for a balloon to be plugged in where there is none",
  control: "com1 or com2: the control channel's port (com2, or com1 where that is missing)",
  "pause-after-features": "milliseconds between reading features and accepting them",
  poll: "milliseconds between looks at a device that does not interrupt",
  "report-rate": "free pages that are reported in one second, at most",
} as const;

type Key = keyof typeof COMMAND_LINE_KEYS;

/** A look costs some eight exits to the host: an idle guest causes four of them a second. */
const POLL_MS = 2000;

function bad(word: string, todo: string): BallonetError {
  return configError("command line", `"${word}"`, todo);
}

function words(commandLine: string): Map<Key, string> {
  const found = new Map<Key, string>();
  for (const word of commandLine.split(/\s+/)) {
    // What follows are the arguments of the user's program.
    if (word === "--") break;
    if (!word.startsWith(PREFIX)) continue;
    const [key = "", ...rest] = word.slice(PREFIX.length).split("=");
    if (!Object.hasOwn(COMMAND_LINE_KEYS, key)) {
      if (rest.length === 0 || key.includes("/")) continue;
      const known = Object.keys(COMMAND_LINE_KEYS);
      const meant = nearestName(key, known);
      const first = meant === undefined ? "" : `write ${PREFIX}${meant}=${rest.join("=")}, or `;
      throw bad(word, `${first}use one of the keys ${known.join(", ")}`);
    }
    if (rest.length === 0) throw bad(word, `write ${PREFIX}${key}=VALUE`);
    found.set(key as Key, rest.join("="));
  }
  return found;
}

/** @throws BallonetError `config` for a command line of which the boot code kept only a part. */
export function checkCommandLine(bytes: number): void {
  if (bytes <= BYTES_MAX) return;
  throw configError("command line", `${bytes} bytes`, `stay within ${BYTES_MAX} bytes`);
}

/** @throws BallonetError `config` for a word that makes no sense. */
export function parseCommandLine(commandLine: string): GuestOptions {
  const found = words(commandLine);
  const number = (key: Key): number | undefined => {
    const text = found.get(key);
    if (text === undefined) return undefined;
    if (!/^\d{1,10}$/.test(text)) throw bad(`${PREFIX}${key}=${text}`, "give a whole number");
    return Number(text);
  };
  const choice = <T extends string>(key: Key, choices: readonly T[]): T | undefined => {
    const text = found.get(key);
    const chosen = choices.find((it) => it === text);
    if (text === undefined || chosen !== undefined) return chosen;
    throw bad(`${PREFIX}${key}=${text}`, `choose ${choices.join(" or ")}`);
  };
  const persona = found.get("persona") as PersonaName | undefined;
  const isOther = persona !== undefined && persona !== "ballonet";
  const newer = choice("newer-statistics", YES_OR_NO);
  const scrub = choice("scrub", YES_OR_NO);
  const statistics = choice("statistics", [...STATISTICS_DETAILS, "decline"]);
  const isDeclined = statistics === "decline";
  const input = {
    persona,
    deflateMode: found.get("deflate") as DeflateMode | undefined,
    dialect: choice("dialect", DIALECTS),
    pauseAfterFeaturesMs: number("pause-after-features"),
    mustTellHost: choice("must-tell-host", FEATURE_CHOICES),
    host: choice("host", HOST_TRUSTS),
    freePageHinting: choice("hinting", FEATURE_CHOICES),
    pageReporting: choice("reporting", FEATURE_CHOICES),
    statistics: isDeclined ? statistics : undefined,
    statisticsDetail: isDeclined ? undefined : statistics,
    targetSharePercent: number("target-share"),
    movePagesPerSecond: number("move-rate"),
    turnsPerSecond: number("turn-rate"),
    scrubGiven: scrub === undefined ? undefined : scrub === "yes",
    scrubReturned: scrub === undefined ? undefined : scrub === "yes",
    poison: number("poison"),
    newerStatistics: newer === undefined ? undefined : newer === "yes",
    reservePages: number("reserve"),
    buffersInFlight: number("buffers"),
    pfnsPerBuffer: number("pfns"),
    queueSizeMax: number("queue-size"),
    pollMs: number("poll") ?? (isOther ? undefined : POLL_MS),
    reportPagesPerSecond: number("report-rate"),
  };
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  );
  const settings = makeSettings(given);
  const policy = found.get("policy");
  return {
    settings,
    policy: policy === undefined ? undefined : namedPolicy(policy),
    prefer: choice("interface", PCI_INTERFACES) ?? "modern",
    interrupts: choice("interrupts", INTERRUPT_CHOICES) ?? "best",
    waitForDevice: choice("wait-for-device", YES_OR_NO) === "yes",
    control: choice("control", CONTROL_PORTS),
  };
}
