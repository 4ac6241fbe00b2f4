/**
 * How strong rules are, and where they stand, by transport and by kind of ring. Each line was read in
 * the text of virtio 1.3; only words in capitals count there (1.3, on RFC 8174).
 */
import { describe, expect, it } from "vitest";
import { type RuleId, rules } from "../../../../src/device/index.ts";
import { type Rule, standingOf } from "../../../../src/device/spec/rule.ts";

const PLACES = {
  modern: { by: "modern", packed: false },
  legacy: { by: "legacy", packed: false },
  mmio: { by: "mmio", packed: false },
  "legacy-mmio": { by: "legacy-mmio", packed: false },
  packed: { by: "modern", packed: true },
  "packed mmio": { by: "mmio", packed: true },
} as const;

type Place = keyof typeof PLACES;

/** Level and section where a rule is judged. What a transport cannot break is left out. */
const TABLE: Partial<Record<RuleId, Partial<Record<Place, string>>>> = {
  "G-RESET-WAIT": {
    modern: "MUST 4.1.4.3.2",
    legacy: "SHOULD 2.4.2",
    mmio: "SHOULD 2.4.2",
    "legacy-mmio": "SHOULD 2.4.2",
  },
  "G-FEATURES-LATE": {
    modern: "MUST NOT 3.1.1 step 5",
    legacy: "FIELD 3.1.2",
    mmio: "MUST NOT 3.1.1 step 5",
    "legacy-mmio": "FIELD 3.1.2",
  },
  "P-READ-ONLY": { modern: "MUST NOT 4.1.4.3.2", legacy: "MUST NOT 4.1.4.10" },
  "P-PENDING-WRITE": {
    modern: "FIELD 4.1.4.5, and PCI 3.0, 6.8.2.10",
    legacy: "MUST NOT 4.1.4.10",
  },
  "P-QUEUE-SIZE": { modern: "MUST NOT 4.1.4.3.2", packed: "MUST NOT 4.1.4.3.2" },
  "P-QUEUE-LARGER": { modern: "FIELD 4.1.5.1.3" },
  "P-QUEUE-ABSENT": { modern: "FIELD 4.1.5.1.3", legacy: "FIELD 4.1.5.1.3" },
  "P-RESERVED-CAP": { modern: "MUST 4.1.4.1 and 4.1.4.8.2" },
  "P-NOTIFY-VALUE": { modern: "MUST 4.1.5.2.1", legacy: "MUST 4.1.5.2.1" },
  "P-NOTIFY-DATA": {
    modern: "FIELD 2.9",
    mmio: "FIELD 2.9",
    packed: "MUST 2.8.16",
    "packed mmio": "MUST 2.8.16",
  },
  "P-NOTIFY-QUEUE": {
    modern: "FIELD 4.1.5.2",
    mmio: "FIELD 4.2.3.3",
    "legacy-mmio": "FIELD 4.2.4",
  },
  "P-CONFIG-LENGTH": { modern: "MUST NOT 2.5.1", mmio: "MUST NOT 2.5.1 and 4.2.2.2" },
  "R-RESET-WAIT": {
    modern: "MUST 2.6.1.1.2 and 4.1.4.3.2",
    mmio: "MUST 2.6.1.1.2 and 4.2.2.2",
  },
  "M-QUEUE-SIZE": { mmio: "FIELD 2.7", "packed mmio": "FIELD 2.8.10.1" },
  "M-QUEUE-LARGER": { mmio: "MUST 4.2.2.2", "legacy-mmio": "FIELD 4.2.4" },
  "M-QUEUE-ABSENT": { mmio: "FIELD 4.2.3.2", "legacy-mmio": "FIELD 4.2.4" },
  "M-QUEUE-BUSY": { mmio: "MUST NOT 4.2.2.2", "legacy-mmio": "FIELD 4.2.4" },
  "M-QUEUE-UNSET": { mmio: "FIELD 4.2.3.2", "legacy-mmio": "FIELD 4.2.4" },
  "M-NOTIFY-VALUE": { mmio: "FIELD 4.2.3.3" },
  "M-NO-REGISTER": {
    mmio: "MUST NOT 4.2.2.2",
    "legacy-mmio": "MUST NOT 4.2.2.2 and 4.2.4",
  },
  "M-PAGE-SIZE": { "legacy-mmio": "FIELD 4.2.4" },
  "M-QUEUE-ALIGN": { "legacy-mmio": "FIELD 4.2.4" },
  "L-QUEUE-MOVED": { "legacy-mmio": "FIELD 4.2.4" },
  "R-ALIGN": {
    modern: "MUST 2.7.1",
    legacy: "MUST 2.7.2",
    "legacy-mmio": "MUST 2.7.2",
    packed: "MUST 2.8.11",
  },
  "R-MEMORY": { modern: "FIELD 2.7", packed: "FIELD 2.8" },
  "R-APART": {
    modern: "FIELD 2.7",
    legacy: "MUST 2.7.2",
    "legacy-mmio": "MUST 2.7.2",
    packed: "FIELD 2.8",
  },
  "R-USED-WRITTEN": { modern: "FIELD 2.7.8", packed: "FIELD 2.8" },
  "R-AVAIL-JUMP": { modern: "FIELD 2.7 and 2.7.13", packed: "MUST 2.8.17" },
  "R-HEAD-RANGE": { modern: "FIELD 2.7.6" },
  "R-NEXT-RANGE": { modern: "FIELD 2.7.5" },
  "R-CHAIN-LENGTH": {
    modern: "MUST NOT 2.7.5.2 and 2.7.5.3.1",
    packed: "MUST NOT 2.8.17",
  },
  "R-CHAIN-BYTES": {
    modern: "MUST NOT 2.7.5.2",
    packed: "FIELD 2.7.5.2, which says so of split rings",
  },
  "R-WRITE-ORDER": { modern: "MUST 2.7.4.2", packed: "MUST 2.8.17" },
  "R-DESC-FLAGS": { modern: "FIELD 2.7.5", packed: "FIELD 2.8.13" },
  "R-INDIRECT": { modern: "MUST NOT 2.7.5.3.1", packed: "MUST NOT 2.8.19" },
  "R-INDIRECT-NEXT": { modern: "MUST NOT 2.7.5.3.1", packed: "MUST NOT 2.8.19" },
  "R-INDIRECT-SIZE": { modern: "FIELD 2.7.5.3", packed: "FIELD 2.8.7" },
  "R-BUFFER-MEMORY": { modern: "FIELD 2.7.5", packed: "FIELD 2.8.4" },
  "R-DESC-CHANGED": { modern: "MUST NOT 3.3.1", packed: "MUST NOT 2.8.16 and 3.3.1" },
  "R-KICK-MISSING": { modern: "MUST 2.7.10.1", packed: "FIELD 2.8.21 step 3" },
  "R-KICK-SUPPRESSED": { modern: "SHOULD NOT 2.7.10.1", packed: "FIELD 2.8.10" },
  "R-EVENT-FLAGS": { packed: "FIELD 2.8.10 and 2.8.14" },
  D17: {
    modern: "MUST 4.1.3.1",
    legacy: "MUST 5.5.6.2.1",
    mmio: "MUST 4.2.2.2",
    "legacy-mmio": "MUST 5.5.6.2.1",
  },
};

/**
 * Rules of the PCI local bus specification 3.0, which writes no word in capitals: its "must" counts
 * as one. Its own text is not public. What was read instead:
 *
 *   6.2.2           the command register: comments in open sources that carry the table
 *   3.2.2.3.2       cited so by Linux, drivers/pci/pci.h
 *   6.8.2           "must use aligned full DWORD or aligned full QWORD", cited with this number by
 *                   Jailhouse and, without one, by Xen and QEMU
 *   6.8.2.6, .9     "must always write zeroes" and "must preserve", in public headers
 *   6.8.2.10        "should never write", in QEMU's log and in a public header
 *   6.8.3.2, .5     PCI Express 6.3, whose 6.1.4.2 and 6.1.4.5 carry on these sections: 6.1.4.4 is
 *                   "Sending Messages", as 6.8.3.4 is by QEMU's log, so masking is 6.8.3.5
 *
 * There 6.1.4.2 says that software "must not modify" an unmasked entry, and only how an entry "is
 * filled in"; 6.1.4.5 allows to mask a vector for ever, and to poll its pending bit.
 */
const OF_PCI: Partial<Record<RuleId, string>> = {
  "P-PENDING-WRITE": "FIELD 4.1.4.5, and PCI 3.0, 6.8.2.10",
  "P-DECODE-OFF": "FIELD PCI 3.0, 6.2.2",
  "P-BUS-MASTER": "FIELD PCI 3.0, 6.2.2",
  "P-CONFIG-ALIGN": "FIELD PCI 3.0, 3.2.2.3.2",
  "P-MSIX-WIDTH": "MUST PCI 3.0, 6.8.2",
  "P-MSIX-LIVE": "MUST NOT PCI 3.0, 6.8.3.2",
  "P-MSIX-UNWRITTEN": "FIELD PCI 3.0, 6.8.3.2",
  "P-MSIX-ADDRESS": "MUST PCI 3.0, 6.8.2.6",
  "P-MSIX-RESERVED": "MUST PCI 3.0, 6.8.2.9",
  "P-MSIX-MESSAGE": "FIELD PCI 3.0, 6.8.2.6 to 6.8.2.8",
  "P-MSIX-PENDING": "FIELD PCI 3.0, 6.8.3.5",
};

const of = (id: string): Rule => rules.find((rule) => rule.id === id) as Rule;

describe("level and section", () => {
  it.each(Object.entries(TABLE))("of %s", (id, expected) => {
    const told = Object.keys(expected).map((place) => {
      const { level, section } = standingOf(of(id), PLACES[place as Place]);
      return [place, `${level} ${section}`];
    });
    expect(Object.fromEntries(told)).toEqual(expected);
  });

  it("are in this table for each rule that has several", () => {
    const several = rules.filter((rule) => "over" in rule).map(({ id }) => id);
    expect(several.filter((id) => TABLE[id] === undefined)).toEqual([]);
  });

  it("of each rule that cites PCI's own specification", () => {
    const cited = rules.filter(({ section }) => section.includes("PCI 3.0"));
    const told = cited.map(({ id, level, section }) => [id, `${level} ${section}`]);
    expect(Object.fromEntries(told)).toEqual(OF_PCI);
  });
});
