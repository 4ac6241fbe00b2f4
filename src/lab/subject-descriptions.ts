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

/** Returns one sentence that says whose driver a persona is. */
export function personaSource(name: PersonaName): string {
  return SOURCES[name];
}

const ORDERS: Readonly<Record<DeflateMode, string>> = {
  "tell-first":
    "It always tells the host and waits for the answer before it uses a page again, whatever was " +
    "negotiated.",
  "use-first":
    "It uses a page first and tells the host then, as it may without MUST_TELL_HOST (virtio 1.3, " +
    "5.5.6.1).",
  "tell-if-must":
    "It tells and waits where MUST_TELL_HOST was negotiated. Elsewhere it uses a page first and " +
    "tells then, as it may (virtio 1.3, 5.5.6.1).",
  silent:
    "It uses pages again and never tells the host, which is never allowed: every page must go " +
    "through the deflate queue (virtio 1.3, 5.5.6.1).",
};

/** MUST_TELL_HOST; it has the same number in every interface. */
const MUST_TELL_HOST = 0;
/** Feature bits below this one are the balloon's own (virtio 1.3, 2.2). */
const DEVICE_BITS = 24;

export function describePersona(name: PersonaName): readonly string[] {
  const { accept, deflateMode, buffersInFlight, pfnsPerBuffer } = makeSettings({ persona: name });
  const own = featureSet(...accept.filter((bit) => bit < DEVICE_BITS));
  const many = featureBits(own).length === 0 ? "no bit of the balloon's" : formatFeatures(own);
  const promise = accept.includes(MUST_TELL_HOST)
    ? "It accepts MUST_TELL_HOST where it is offered, as it should (virtio 1.3, 5.5.3.1)."
    : "It does not accept MUST_TELL_HOST, though it should (virtio 1.3, 5.5.3.1).";
  const pages = counted(pfnsPerBuffer, "page number");
  return [
    SOURCES[name],
    `It accepts ${many}. ${promise}`,
    `It sends up to ${counted(buffersInFlight, "buffer")} of up to ${pages} at once.`,
    ORDERS[deflateMode],
  ];
}

const RELIES_ON_PROMISES =
  "Once the driver has promised to tell first, a page is the host's until it has acknowledged " +
  "the page's deflate (virtio 1.3, 5.5.6.1 and 5.5.6.2). Without the promise the host keeps " +
  "every page locked: no gain.";

const HOSTS: Readonly<Record<HostDesignName, readonly string[]>> = {
  plain: ["Most hosts today are of this kind, and do not even offer MUST_TELL_HOST."],
  locked: [RELIES_ON_PROMISES],
  "locked-always": [
    "It relies on drivers that tell first, whatever they promised. The specification does not " +
      "allow that: without the bit a driver may use a page early (virtio 1.3, 5.5.6.1).",
  ],
  refusing: [
    RELIES_ON_PROMISES,
    "A device may clear FEATURES_OK of a driver without MUST_TELL_HOST (virtio 1.3, 5.5.3.2). A " +
      "legacy driver without the bit has to be served (5.5.3.2.0.1).",
  ],
  "two-bit": [
    RELIES_ON_PROMISES,
    "Its bits are an experiment, in no specification, and replace MUST_TELL_HOST: WILL_TELL_HOST " +
      "(bit 22) and SILENT_DEFLATE (bit 23). Drivers that do not know them may use pages early.",
  ],
};

export function describeHost(host: HostDesignName): readonly string[] {
  return [designOf(host).does, ...HOSTS[host]];
}

const DIALECT_TEXTS: Readonly<Record<Dialect, string>> = {
  standard:
    "The specification's own: a driver that accepts MUST_TELL_HOST promises to tell first " +
    "(virtio 1.3, 5.5.3). One that declines it may use pages early, and still sends every page " +
    "through the deflate queue (virtio 1.3, 5.5.6.1).",
  "two-bit":
    "The proposal of 2012, which this driver can be set to. A driver that tells first says so by " +
    "WILL_TELL_HOST. A driver that wants to be silent asks for SILENT_DEFLATE and does not start " +
    "without it. The host gains as much as with MUST_TELL_HOST, but only from changed drivers.",
};

export function describeDialect(dialect: Dialect): readonly string[] {
  return [DIALECT_TEXTS[dialect]];
}

const ABOUT_MIGRATION =
  "The specification says nothing about migration. Hosts check that they offer every feature " +
  "that the driver has accepted, and do not accept the guest otherwise. Before the driver has " +
  "accepted any, that check finds nothing: the driver learns of a missing feature when " +
  "FEATURES_OK does not stay set (virtio 1.3, 3.1.1).";

export function describePath(name: MigrationPathName): readonly string[] {
  const { does, from, to } = migrationPaths[name];
  if (to === undefined) return [does];
  const knows = (host: typeof from): string => (host === "with" ? "knows" : "does not know");
  return [
    does,
    `The first host ${knows(from)} the feature by which a driver promises to tell first, the ` +
      `second one ${knows(to)} it.`,
    ABOUT_MIGRATION,
  ];
}

export const QUESTION = "Must a driver tell the host before it uses a page again?";

/** The history of the question. */
export const HISTORY: readonly string[] = [
  "A host that is told first can unlock the pages in the balloon or give them away. A host that " +
    "is not told first can do neither safely.",
  "2012: MUST_TELL_HOST is a feature of the host. A host that offers it forbids silent deflate " +
    "to everybody, and a host that offers it later breaks migrations between its versions. The " +
    "proposal: two bits, the driver's WILL_TELL_HOST and the host's SILENT_DEFLATE. The " +
    "objection: all existing drivers become wrong, and hosts gain nothing from them until they " +
    "change.",
  "2013: one word of the specification answers it. The rule holds when the bit is negotiated, " +
    "not when it is offered: a driver that accepts it makes a promise (virtio 1.3, 5.5.6.1). " +
    "Without the bit a driver may use pages early, and still has to tell the host of each. Since " +
    "2015 a host may refuse drivers that do not accept the bit (5.5.3.2).",
  "Today: QEMU does not offer the bit, crosvm does. Linux, OpenBSD and Nanos accept it and keep " +
    "their promise. FreeBSD up to 13 tells first, but does not accept it. The driver for Windows " +
    "uses pages first and tells then, as it may. Silence came in another way: pages given away " +
    "by free page reporting may be used again without a word (virtio 1.3, 5.5.6.7).",
];
