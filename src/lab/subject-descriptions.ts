/**
 * Each persona, host, dialect and migration in words, and the history of the question.
 *
 * What a persona accepts and sends is read from its settings; the rest is written by hand.
 */
import {
  type DeflateMode,
  type Dialect,
  featureBits,
  featureSet,
  formatFeatures,
  type PersonaName,
} from "../../runtime/abi.ts";
import { makeSettings } from "../../runtime/index.ts";
import type { HostDesignName } from "../device/host/host-design.ts";
import { counted } from "../text/units.ts";
import { cite } from "./cell-explanations.ts";
import { designOf } from "./cell-names.ts";
import { type MigrationPathName, migrationPaths } from "./paths.ts";

const SOURCES: Readonly<Record<PersonaName, string>> = {
  ballonet: "This project's own driver.",
  linux: "Linux, drivers/virtio/virtio_balloon.c.",
  freebsd: "FreeBSD up to 13, sys/dev/virtio/balloon/virtio_balloon.c.",
  openbsd: "OpenBSD, sys/dev/pv/viomb.c.",
  windows: "The virtio drivers for Windows, Balloon/sys/balloon.c and Device.c.",
  nanos: "Nanos, src/virtio/virtio_balloon.c.",
  silent: "No real driver: an instrument for testing hosts.",
};

const ORDERS: Readonly<Record<DeflateMode, string>> = {
  "tell-first":
    "It always tells the host, waits for the answer and only then uses a page again, whatever " +
    "was negotiated.",
  "use-first":
    "It uses a page first and tells the host then, which is allowed without MUST_TELL_HOST " +
    `(${cite("5.5.6.1")}).`,
  "tell-if-must":
    "It tells and waits where MUST_TELL_HOST was negotiated. Elsewhere it uses a page first and " +
    `tells then, as it may (${cite("5.5.6.1")}).`,
  silent:
    "It uses pages again and never tells the host; only `actual` shows it. That is never " +
    `allowed: every page must go through the deflate queue (${cite("5.5.6.1")}).`,
};

/** MUST_TELL_HOST; it has the same number in every interface. */
const MUST_TELL_HOST = 0;
/** Feature bits below this one are the balloon's own (virtio 1.3, 2.2). */
const DEVICE_BITS = 24;

export function describePersona(persona: PersonaName): readonly string[] {
  const { accept, deflateMode, buffersInFlight, pfnsPerBuffer } = makeSettings({ persona });
  const own = featureSet(...accept.filter((bit) => bit < DEVICE_BITS));
  const promises = accept.includes(MUST_TELL_HOST)
    ? `It accepts MUST_TELL_HOST where it is offered, as it should (${cite("5.5.3.1")}).`
    : `It does not accept MUST_TELL_HOST, though it should (${cite("5.5.3.1")}).`;
  const many = featureBits(own).length === 0 ? "no bit of the balloon's" : formatFeatures(own);
  const wire =
    `On the wire: up to ${counted(buffersInFlight, "buffer")} in flight, of up to ` +
    `${counted(pfnsPerBuffer, "page number")} each.`;
  return [SOURCES[persona], `It accepts ${many}. ${promises}`, ORDERS[deflateMode], wire];
}

const RELIES_ON_THE_BIT =
  "Once the bit is negotiated, a page is the host's until it has acknowledged the page's deflate " +
  `(${cite("5.5.6.1")} and 5.5.6.2). Without it the host keeps every page locked: no gain.`;

const HOSTS: Readonly<Record<HostDesignName, readonly string[]>> = {
  plain: [
    "It relies on nothing: a page comes back whenever the guest touches it. Most hosts today are " +
      "of this kind, and do not even offer MUST_TELL_HOST.",
  ],
  locked: [RELIES_ON_THE_BIT],
  "locked-always": [
    "It relies on drivers that tell first, whether or not they accepted MUST_TELL_HOST. The " +
      "specification does not allow that: without the bit a driver may use a page before its " +
      `deflate is acknowledged (${cite("5.5.6.1")}).`,
  ],
  refusing: [
    RELIES_ON_THE_BIT,
    "It clears FEATURES_OK of a driver that does not accept MUST_TELL_HOST, as a device may " +
      `(${cite("5.5.3.2")}). A legacy driver without the bit has to be served (5.5.3.2.0.1).`,
  ],
  "two-bit": [
    RELIES_ON_THE_BIT,
    "Its bits are an experiment and in no specification: WILL_TELL_HOST (bit 22) and " +
      "SILENT_DEFLATE (bit 23), offered in place of MUST_TELL_HOST. A driver that does not know " +
      "them accepts neither, and is treated as one that may use pages at any time.",
  ],
};

export function describeHost(host: HostDesignName): readonly string[] {
  return [designOf(host).does, ...HOSTS[host]];
}

const DIALECT_TEXTS: Readonly<Record<Dialect, readonly string[]>> = {
  standard: [
    `The specification's own: one bit, MUST_TELL_HOST (${cite("5.5.3")}). A driver that accepts ` +
      "it promises to tell first. A driver that declines it may use pages before the host has " +
      `answered, and still sends every page through the deflate queue (${cite("5.5.6.1")}).`,
  ],
  "two-bit": [
    "The proposal of 2012, which this driver can be set to. A driver that tells first says so by " +
      "WILL_TELL_HOST. A driver that wants to be silent asks for SILENT_DEFLATE and does not " +
      "start without it. Only the host two-bit offers these bits.",
    "The host gains as much as with MUST_TELL_HOST, but only from drivers that were changed. A " +
      "bit that one of two hosts lacks stops a migration here, too.",
  ],
};

export function describeDialect(dialect: Dialect): readonly string[] {
  return DIALECT_TEXTS[dialect];
}

const MOMENTS = {
  reading: "after the driver has read the features and before it accepts any",
  rest: "with the balloon inflated and nothing in flight",
  amid: "while the host has not answered a deflate",
} as const;

export function describePath(path: MigrationPathName): readonly string[] {
  const { does, from, to, when } = migrationPaths[path];
  if (to === undefined) return [does];
  const knows = (host: typeof from): string => (host === "with" ? "knows" : "does not know");
  return [
    does,
    `The first host ${knows(from)} the feature by which a driver promises to tell first, the ` +
      `second one ${knows(to)} it. The guest moves ${MOMENTS[when]}.`,
    "The specification says nothing about migration. Hosts check that they offer every feature " +
      "that the driver has accepted, and do not accept the guest otherwise. Before the driver " +
      "has accepted any, that check finds nothing: the driver learns of a missing feature when " +
      `FEATURES_OK does not stay set (${cite("3.1.1")}).`,
  ];
}

export const QUESTION = "Must a driver tell the host before it uses a page again?";

/** The history of the question. */
export const HISTORY: readonly string[] = [
  "A balloon takes pages from a guest. Does the guest have to tell the host before it uses one " +
    "of them again? A host that is told first can unlock the pages or give them away. A host " +
    "that is not told first can do neither safely.",
  "2012: MUST_TELL_HOST is a feature of the host, and a change of it is discussed. A host that " +
    "offers the bit forbids silent deflate to everybody. A host that does not offer it cannot " +
    "see which drivers would tell. A host that offers it later changes its set of features, and " +
    "migrations between its versions fail. The proposal: two bits, the driver's WILL_TELL_HOST " +
    "and the host's SILENT_DEFLATE. The objection: all existing drivers become wrong, and hosts " +
    "gain nothing from them until they change.",
  "2013: one word of the specification answers it. The rule holds when the bit is negotiated, " +
    "not when it is offered: a driver that accepts the bit makes a promise " +
    `(${cite("5.5.6.1")}). No bit is added. Without the bit a driver may use pages early, and ` +
    "still has to tell the host of each. Since 2015 a host may refuse drivers that do not accept " +
    "the bit (5.5.3.2).",
  "Today: QEMU does not offer the bit, crosvm does. Linux, OpenBSD and Nanos accept it and keep " +
    "their promise. FreeBSD up to 13 tells first, but does not accept the bit. The driver for " +
    "Windows uses pages first and tells then, as it may. Silence came in another way: pages " +
    "that were given away by free page reporting may be used again without a word " +
    `(${cite("5.5.6.7")}).`,
];
