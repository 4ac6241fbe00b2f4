/** Checks of status, features, reset and configuration (virtio 1.3, 2.1 to 2.5 and 6). */
import { BALLOON_CONFIG, BALLOON_FEATURE } from "../../balloon/constants.ts";
import { CAPABILITY_VENDOR_SPECIFIC } from "../../pci/capabilities.ts";
import { FEATURE, ISR, STATUS } from "../../virtio/constants.ts";
import { featureSet, hasFeature } from "../../virtio/features.ts";
import { type Bench, expect, LeftOut, need } from "../bench.ts";
import { type Check, inSection } from "../check.ts";
import { Life } from "../life.ts";
import { capabilityOffsets } from "../registers.ts";

/** The capability of PCI Express; SR-IOV is an extended one of such a function. */
const CAPABILITY_EXPRESS = 0x10;

/** Posts a buffer to a device that is set up but for DRIVER_OK. */
function early(bench: Bench) {
  const life = new Life(bench);
  life.negotiate();
  const ring = life.splitQueue(0);
  ring.post([life.onePage()]);
  life.notify(ring);
  bench.quiet();
  return { life, ring };
}

/** Posts a chain that is a loop, which no device can serve. */
function breakQueue(bench: Bench) {
  const { life, ring } = Life.split(bench);
  const part = life.onePage();
  ring.setDescriptor(0, part, 1, 1);
  ring.setDescriptor(1, part, 1, 0);
  ring.show(0);
  life.notify(ring);
  bench.quiet();
  return { life, ring };
}

const status = inSection("2.1.2", [
  [
    "STATUS-CONSUME",
    "MUST NOT",
    "consumes no buffer before DRIVER_OK",
    (bench) => {
      const { ring } = early(bench);
      expect(ring.usedIdx === 0, `used idx ${ring.usedIdx} without DRIVER_OK`);
    },
  ],
  [
    "STATUS-NOTIFY",
    "MUST NOT",
    "sends no used buffer notification before DRIVER_OK",
    (bench) => {
      const { life } = early(bench);
      const events = life.bench.device.takeEvents();
      expect((events & ISR.QUEUE) === 0, `ISR status ${events} without DRIVER_OK`);
    },
  ],
  [
    "STATUS-NEEDS-RESET",
    "SHOULD",
    "sets DEVICE_NEEDS_RESET when it needs a reset to go on",
    (bench) => {
      const { life, ring } = breakQueue(bench);
      if ((life.status & STATUS.DEVICE_NEEDS_RESET) !== 0) return;
      ring.setDescriptor(2, life.onePage(), 0, 0);
      ring.show(2);
      life.notify(ring);
      const served = bench.until(() => ring.usedIdx !== 0);
      expect(served, `status ${life.status}, and nothing is served after a chain that is a loop`);
    },
  ],
  [
    "STATUS-TELLS",
    "MUST",
    "sends a configuration change notification when it sets DEVICE_NEEDS_RESET",
    (bench) => {
      const { life } = breakQueue(bench);
      need((life.status & STATUS.DEVICE_NEEDS_RESET) !== 0, "DEVICE_NEEDS_RESET is not set");
      const events = bench.device.takeEvents();
      expect((events & ISR.CONFIG) !== 0, `ISR status ${events} with DEVICE_NEEDS_RESET`);
    },
  ],
]);

/** Bits that virtio 1.3 gives a meaning for a balloon over its modern interface. */
const KNOWN = featureSet(
  ...Object.values(BALLOON_FEATURE),
  ...Object.values(FEATURE).filter(
    (bit) => bit !== FEATURE.NOTIFY_ON_EMPTY && bit !== FEATURE.ANY_LAYOUT,
  ),
);

function refuses(bench: Bench, set: bigint): string | undefined {
  return new Life(bench).accept(set) ? undefined : `FEATURES_OK is refused for ${set.toString(16)}`;
}

const features = inSection("2.2.2", [
  [
    "FEATURES-SUBSET",
    "SHOULD",
    "accepts any valid subset of its features",
    (bench) => {
      const offered = new Life(bench).offered();
      const base = featureSet(FEATURE.VERSION_1);
      const unusable = featureSet(FEATURE.NOTIF_CONFIG_DATA, FEATURE.ADMIN_VQ, FEATURE.SR_IOV);
      const subsets = [base];
      for (let bit = 0; bit < 41; bit++) {
        if (hasFeature(offered & ~unusable, bit)) subsets.push(base | featureSet(bit));
      }
      const refused = subsets.map((set) => refuses(bench, set)).find((seen) => seen !== undefined);
      expect(refused === undefined, refused ?? "");
    },
  ],
  [
    "FEATURES-INVALID",
    "MUST",
    "keeps FEATURES_OK clear when it does not accept what the driver wrote",
    (bench) => {
      const life = new Life(bench);
      const offered = life.offered();
      let absent = 0;
      while (hasFeature(offered, absent)) absent++;
      const held = life.accept(featureSet(FEATURE.VERSION_1, absent));
      if (!held) return;
      need(bench.device.pci !== undefined, "driver_feature cannot be read");
      bench.device.write("driverFeatureSelect", 0);
      const shown = bench.device.read("driverFeature");
      const seen = `FEATURES_OK with bit ${absent}, which is not offered and reads as set`;
      expect((shown & (1 << absent)) === 0, seen);
    },
  ],
  [
    "FEATURES-UNKNOWN",
    "MUST NOT",
    "offers no feature that has no meaning for it",
    (bench) => {
      const unknown = new Life(bench).offered() & ~KNOWN;
      expect(unknown === 0n, `bits ${unknown.toString(16)} are offered`);
    },
  ],
  [
    "FEATURES-AGAIN",
    "SHOULD NOT",
    "does not refuse after a reset what it accepted before",
    (bench) => {
      const set =
        new Life(bench).offered() & featureSet(FEATURE.VERSION_1, BALLOON_FEATURE.STATS_VQ);
      expect(refuses(bench, set) === undefined, "it is refused the first time");
      for (let n = 0; n < 3; n++) {
        expect(refuses(bench, set) === undefined, "it is refused after a reset");
      }
    },
  ],
]);

const reset = inSection("2.4.1", [
  [
    "RESET-STATUS",
    "MUST",
    "shows status 0 after a reset",
    (bench) => {
      Life.start(bench);
      bench.device.write("deviceStatus", 0);
      const done = bench.until(() => bench.device.read("deviceStatus") === 0);
      expect(done, `device_status ${bench.device.read("deviceStatus")} after a reset`);
    },
  ],
  [
    "RESET-QUIET",
    "MUST NOT",
    "leaves its queues alone and sends nothing after a reset",
    (bench) => {
      const { life, ring } = Life.split(bench);
      life.serve(ring, [life.onePage()]);
      const before = ring.usedIdx;
      const page = life.onePage();
      life.reset();
      ring.post([page]);
      life.notify(ring);
      bench.quiet();
      expect(ring.usedIdx === before, "a buffer is used after the reset");
      const events = bench.device.takeEvents();
      expect(events === 0, `ISR status ${events} after the reset`);
    },
  ],
]);

const configuration = inSection("2.5.2", [
  [
    "CONFIG-EARLY",
    "MUST",
    "lets every field of its configuration be read before FEATURES_OK",
    (bench) => {
      const life = new Life(bench);
      const { numPages, actual, freePageHintCmdId, poisonVal } = BALLOON_CONFIG;
      const offered = life.offered();
      const fields = [
        numPages,
        actual,
        ...(hasFeature(offered, BALLOON_FEATURE.FREE_PAGE_HINT) ? [freePageHintCmdId] : []),
        ...(hasFeature(offered, BALLOON_FEATURE.PAGE_POISON) ? [poisonVal] : []),
      ];
      const read = () => fields.map((field) => bench.device.readConfig(field));
      const before = read();
      life.negotiate({ wants: [BALLOON_FEATURE.FREE_PAGE_HINT, BALLOON_FEATURE.PAGE_POISON] });
      const after = read();
      expect(before.join() === after.join(), `${before} before FEATURES_OK, ${after} after`);
    },
  ],
]);

const reserved = inSection("6.2", [
  [
    "VERSION-1",
    "MUST",
    "offers VERSION_1",
    (bench) => {
      const offered = new Life(bench).offered();
      expect(hasFeature(offered, FEATURE.VERSION_1), `features ${offered.toString(16)}`);
    },
  ],
  [
    "IN-ORDER",
    "MUST",
    "uses buffers in the order in which they were made available, with IN_ORDER",
    (bench) => {
      const { life, ring } = Life.split(bench, { needs: [FEATURE.IN_ORDER] });
      const given = [0, 1, 2, 3].map(() => ring.post([life.onePage()]));
      life.notify(ring);
      expect(
        bench.until(() => ring.usedIdx === given.length),
        `${ring.usedIdx} of ${given.length} buffers are used`,
      );
      // One entry may stand for all buffers up to its own (2.7.9).
      const [first] = [ring.takeUsed()];
      const isBatch = first?.id === given.at(-1);
      const rest = isBatch ? [] : given.slice(1).map(() => ring.takeUsed()?.id);
      const seen = `${given.join()} were given, ${[first?.id, ...rest].join()} came back`;
      expect(isBatch || [first?.id, ...rest].join() === given.join(), seen);
    },
  ],
  [
    "SR-IOV",
    "MUST NOT",
    "does not offer SR_IOV without the structure of PCI that it is about",
    (bench) => {
      const offered = new Life(bench).offered();
      if (!hasFeature(offered, FEATURE.SR_IOV)) return;
      const { pci } = bench.device;
      expect(pci !== undefined, "SR_IOV over MMIO");
      if (pci === undefined || capabilityOffsets(pci, CAPABILITY_EXPRESS).length > 0) {
        throw new LeftOut("extended configuration space");
      }
      const others = capabilityOffsets(pci, CAPABILITY_VENDOR_SPECIFIC).length;
      expect(false, `SR_IOV is offered; ${others} capabilities, none of PCI Express`);
    },
  ],
]);

export const basicChecks: readonly Check[] = [
  ...status,
  ...features,
  ...reset,
  ...configuration,
  ...reserved,
];
