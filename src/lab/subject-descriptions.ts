/**
 * Who is who in the question of telling first: each persona, host, dialect and way to migrate in
 * words, and how the question came about.
 *
 * It must not run anything. Invariant: what settings or a design say is read from them; written
 * down here is only what no value says: where a persona was read, and history.
 */

import { featureBits, featureSet, formatFeatures } from "../../runtime/abi.ts";
import { makeSettings } from "../../runtime/index.ts";
import type { HostDesign } from "../device/host/host-design.ts";
import { hasBit } from "../device/spec/bits.ts";
import { counted } from "../text/units.ts";
import { bitName, cite } from "./cell-explanations.ts";
import {
  type Dialect,
  designOf,
  type HostDesignName,
  type MigrationPathName,
  type PersonaName,
} from "./cell-names.ts";
import { migrationPaths } from "./paths.ts";

const SOURCES: Readonly<Record<PersonaName, string>> = {
  ballonet: "This project's own driver.",
  linux: "Linux, drivers/virtio/virtio_balloon.c.",
  freebsd: "FreeBSD up to 13, sys/dev/virtio/balloon/virtio_balloon.c.",
  openbsd: "OpenBSD, sys/dev/pv/viomb.c.",
  windows: "The virtio drivers for Windows, Balloon/sys/balloon.c and Device.c.",
  nanos: "Nanos, src/virtio/virtio_balloon.c.",
  silent: "Nobody's: an instrument, for testing hosts.",
};

/** MUST_TELL_HOST; it has the same number in every interface. */
const MUST_TELL_HOST = 0;
/** Bits below are the balloon's own (virtio 1.3, 2.2). */
const DEVICE_BITS = 24;

export function personaPortrait(persona: PersonaName): readonly string[] {
  const { accept, deflateMode, buffersInFlight, pfnsPerBuffer } = makeSettings({ persona });
  const own = featureSet(...accept.filter((bit) => bit < DEVICE_BITS));
  const promises = hasBit(own, MUST_TELL_HOST)
    ? `It accepts MUST_TELL_HOST where it is offered, as it should (${cite("5.5.3.1")}).`
    : `It does not accept MUST_TELL_HOST, though it should (${cite("5.5.3.1")}).`;
  const many = featureBits(own).length === 0 ? "no bit of the balloon's" : formatFeatures(own);
  const order = {
    "tell-first":
      "It always tells the host, waits for the answer and only then uses a page again, " +
      "whatever was negotiated.",
    "use-first":
      "It uses a page first and tells the host then, which is allowed without MUST_TELL_HOST " +
      `(${cite("5.5.6.1")}).`,
    "tell-if-must":
      "It tells and waits where MUST_TELL_HOST was negotiated; elsewhere it uses a page first " +
      `and tells then, as it may (${cite("5.5.6.1")}).`,
    silent:
      "It uses pages again and never tells the host; only what it writes as actual says so. " +
      `That is never allowed: the deflate queue must be used (${cite("5.5.6.1")}).`,
  }[deflateMode];
  const shape =
    `On the wire: up to ${counted(buffersInFlight, "buffer")} in flight, of up to ` +
    `${counted(pfnsPerBuffer, "page number")} each.`;
  return [SOURCES[persona], `It accepts ${many}. ${promises}`, order, shape];
}

export function hostPortrait(host: HostDesignName): readonly string[] {
  const design = designOf(host);
  const told = bitName(design.toldBy);
  const refuses = design.refuses
    ? [
        `It clears FEATURES_OK of a driver that does not accept ${told}, as a device may ` +
          `(${cite("5.5.3.2")}). Towards legacy drivers it must not: those that do not accept ` +
          "the bit have to be served (5.5.3.2.0.1).",
      ]
    : [];
  return [design.does, reliance(design, told), ...refuses, ...offered(design)];
}

function reliance({ unlocks }: HostDesign, told: string): string {
  switch (unlocks) {
    case "never":
      return (
        "It relies on nothing: a page comes back whenever the guest touches it. Most hosts " +
        "today are of this kind, and do not even offer MUST_TELL_HOST."
      );
    case "if-told":
      return (
        `It relies on the promise that ${told} is: once negotiated, a page is its own until it ` +
        `has acknowledged the page's deflate (${cite("5.5.6.1")} and 5.5.6.2). Without the ` +
        "promise it keeps everything locked, and gains nothing."
      );
    case "always":
      return (
        `It relies on drivers that tell first, whether or not they promised it with ${told}. ` +
        "Nothing in the specification gives it that right: without the bit a driver may use a " +
        `page before its deflate is acknowledged (${cite("5.5.6.1")}).`
      );
  }
}

function offered({ silentBy, toldBy, withholds }: HostDesign): string[] {
  if (silentBy === undefined) return [];
  const gone = withholds.map(bitName).join(" ");
  return [
    `Its bits are an experiment and in no specification: ${bitName(toldBy)} (bit ${toldBy}) and ` +
      `${bitName(silentBy)} (bit ${silentBy}), offered in place of ${gone}. A driver that does ` +
      "not know them accepts neither, and is treated as one that may use pages at any time.",
  ];
}

export function dialectPortrait(dialect: Dialect): readonly string[] {
  if (dialect === "standard") {
    return [
      `The specification's own: one bit, MUST_TELL_HOST (${cite("5.5.3")}). Accepted, it is a ` +
        "promise; declined, the driver may use pages before the host has answered, and still " +
        `sends every one through the deflate queue (${cite("5.5.6.1")}).`,
    ];
  }
  return [
    "The proposal of 2012, as a dialect that drivers here can be set to: a driver that tells " +
      "first says so by WILL_TELL_HOST, and one that wants to be silent asks for " +
      "SILENT_DEFLATE and does not start without it. Only the host two-bit offers these bits.",
    "It gains what MUST_TELL_HOST gains, from drivers that were changed; from all others the " +
      "host gains nothing any more. A bit that only one of two hosts has stops a migration, " +
      "however positive it is.",
  ];
}

export function pathPortrait(path: MigrationPathName): readonly string[] {
  const { does, from, to, when } = migrationPaths[path];
  if (to === undefined) return [does];
  const moment = {
    reading: "after the driver has read the features and before it accepts any",
    rest: "with the balloon inflated and nothing in flight",
    amid: "while the host has not answered a deflate",
  }[when];
  const knows = (it: typeof from): string => (it === "with" ? "knows" : "does not know");
  return [
    does,
    `The first host ${knows(from)} the feature by which a driver promises to tell first, the ` +
      `second one ${knows(to)} it; the guest moves ${moment}.`,
    "What hosts check is their own affair, not the specification's: all that the driver has " +
      "accepted must be among what the second host offers, else it does not take the guest. " +
      "Before anything is accepted that check finds nothing, and the driver finds out when it " +
      `accepts a bit and FEATURES_OK does not stand (${cite("3.1.1")}).`,
  ];
}

export const QUESTION = "Must a driver tell the host before it uses a page again?";

/** How it came about. */
export const HISTORY: readonly string[] = [
  "A balloon takes pages from a guest. Does the guest have to tell the host before it uses one " +
    "of them again? A host that is told, and waits to be, can unlock or give away what it holds; " +
    "one that is not can only hope.",
  "2012: MUST_TELL_HOST is a feature of the host, and a change is argued over. To offer the bit " +
    "makes silent deflate impossible for everybody; not to offer it hides who would tell; to " +
    "offer it later changes the set of features, and migrations between versions of a host " +
    "fail. Proposed: two positive bits, the driver's WILL_TELL_HOST and the host's " +
    "SILENT_DEFLATE. Objected: that declares the drivers there are wrong, and hosts gain " +
    "nothing from them until they change.",
  "2013: the answer is in one word of the specification. What held when the bit was set holds " +
    "when it is negotiated: a bit like any other, a driver's promise where it accepts it " +
    `(${cite("5.5.6.1")}). No bit was added. Without it pages may be used early, and still ` +
    "every one is told. Since 2015 a host may refuse drivers that do not accept it " +
    "(5.5.3.2).",
  "Today: QEMU does not offer the bit, crosvm does. Linux, OpenBSD and Nanos accept it and keep " +
    "their promise; FreeBSD up to 13 tells first and never says so; the driver for Windows " +
    "frees first and tells then, as it may. Silence has come by another door: free page " +
    `reporting hands pages over that may be used again without a word (${cite("5.5.6.7")}).`,
];
