/** Checks of a transitional device over its legacy interface (virtio 1.3, 4.1.4.10 and others). */
import { BALLOON_CONFIG, BALLOON_FEATURE } from "../../balloon/constants.ts";
import { FEATURE, ISR } from "../../virtio/constants.ts";
import { featureSet, hasFeature } from "../../virtio/features.ts";
import { type Bench, expect, need } from "../bench.ts";
import { type Check, inSection } from "../check.ts";
import { LegacyLife, legacyHeader, transitional } from "../legacy.ts";
import { Life } from "../life.ts";

const REVISION = 0x08;
const SUBSYSTEM = 0x2e;
const BALLOON = 5;
const DEFLATE = 1;

const { numPages, actual } = BALLOON_CONFIG;

const general = [
  ...inSection("2.2.3", [
    [
      "LEGACY-DETECT",
      "MUST",
      "serves a driver that does not accept VERSION_1, over its legacy interface",
      (bench) => {
        const { life, ring } = LegacyLife.start(bench);
        life.serve(ring, [life.onePage()]);
      },
    ],
  ]),
  ...inSection("2.4.1", [
    [
      "LEGACY-RESET",
      "MUST",
      "shows status 0 after a reset over its legacy interface",
      (bench) => {
        const { life } = LegacyLife.start(bench);
        life.bench.device.write("deviceStatus", 0);
        const isReset = bench.until(() => life.status === 0);
        expect(isReset, `device_status ${life.status} after a reset`);
      },
    ],
  ]),
  ...inSection("2.7.2", [
    [
      "LEGACY-LAYOUT",
      "MUST",
      "finds the parts of a queue by the legacy layout",
      (bench) => {
        const { life, ring } = LegacyLife.start(bench);
        life.serve(ring, [life.onePage()]);
        expect(ring.usedIdx === 1, `used idx ${ring.usedIdx} after the first buffer`);
      },
    ],
  ]),
  ...inSection("3.1.2", [
    [
      "LEGACY-CONFIG-EARLY",
      "MUST",
      "takes its configuration before its features are read, over its legacy interface",
      (bench) => writtenActual(bench, ({ bench: { device } }) => device.readConfig(actual)),
    ],
    [
      "LEGACY-USE-EARLY",
      "MUST",
      "can be used before DRIVER_OK, over its legacy interface",
      (bench) => {
        const life = new LegacyLife(bench);
        life.begin();
        const ring = life.legacyQueue(0);
        life.serve(ring, [life.onePage()]);
      },
    ],
  ]),
];

/** Writes `actual` to a device that was reset, and compares what is read. */
function writtenActual(bench: Bench, read: (life: Life) => number): void {
  const life = new LegacyLife(bench);
  const { device } = life.bench;
  const value = 0x201;
  device.writeConfig(actual, value);
  const seen = read(life);
  device.writeConfig(actual, 0);
  expect(seen === value, `actual reads ${seen} of ${value}`);
}

const pci = [
  ...inSection("4.1.2.3", [
    [
      "LEGACY-REVISION",
      "MUST",
      "has revision 0 when it is transitional",
      (bench) => {
        const { config, address } = transitional(bench);
        const revision = config.read(address, REVISION, 1);
        expect(revision === 0, `revision ${revision}`);
      },
    ],
    [
      "LEGACY-SUBSYSTEM",
      "MUST",
      "has its device type as subsystem id when it is transitional",
      (bench) => {
        const { config, address } = transitional(bench);
        const id = config.read(address, SUBSYSTEM, 2);
        expect(id === BALLOON, `subsystem id ${id}`);
      },
    ],
  ]),
  ...inSection("4.1.4.10", [
    [
      "LEGACY-THERE",
      "MUST",
      "has its legacy interface in the I/O ports of BAR 0 when it is transitional",
      (bench) => {
        legacyHeader(bench);
      },
    ],
    [
      "LEGACY-WIDTHS",
      "MUST",
      "shows its configuration by accesses of any width, over its legacy interface",
      (bench) =>
        writtenActual(bench, ({ bench: { device } }) => {
          const at = (byte: number) => {
            return device.readConfig({ offset: actual.offset + byte, width: 1 });
          };
          return at(0) + at(1) * 0x100 + at(2) * 0x1_0000 + at(3) * 0x100_0000;
        }),
    ],
    [
      "LEGACY-CONFIG-PLACE",
      "MUST",
      "has its configuration right behind the legacy header",
      (bench) => {
        const life = new LegacyLife(bench);
        const { device } = life.bench;
        bench.ask({ do: "target", pages: 64 });
        const isThere = bench.until(() => device.readConfig(numPages) === 64);
        const seen = device.readConfig(numPages);
        bench.ask({ do: "target", pages: 0 });
        expect(isThere, `num_pages reads ${seen} of 64`);
      },
    ],
  ]),
];

/** A driver that does not know of MUST_TELL_HOST, and gives a page. */
function untold(bench: Bench) {
  need(hasFeature(new Life(bench).offered(), BALLOON_FEATURE.MUST_TELL_HOST), "MUST_TELL_HOST");
  const life = new LegacyLife(bench);
  life.begin();
  const inflate = life.legacyQueue(0);
  const deflate = life.legacyQueue(DEFLATE);
  life.driverOk();
  const pfn = life.bench.page(0);
  life.serve(inflate, [life.pfns([pfn])]);
  return { life, deflate, pfn };
}

const MARK = 0x5a5a_4321;

const balloon = inSection("5.5.3.2.0.1", [
  [
    "LEGACY-UNTOLD",
    "MUST",
    "serves a driver that does not accept MUST_TELL_HOST, over its legacy interface",
    (bench) => {
      untold(bench);
    },
  ],
  [
    "LEGACY-USE-FIRST",
    "SHOULD",
    "lets such a driver use a page before it tells of it",
    (bench) => {
      const { life, deflate, pfn } = untold(bench);
      for (let at = pfn * 4096; at < (pfn + 1) * 4096; at += 4) bench.memory.write(at, 4, MARK);
      life.serve(deflate, [life.pfns([pfn])]);
      expect(bench.holds(pfn, MARK), "a page that the guest used lost its contents");
    },
  ],
]);

const reserved = inSection("6.3", [
  [
    "LEGACY-ANY-LAYOUT",
    "MUST",
    "offers ANY_LAYOUT over its legacy interface",
    (bench) => {
      const offered = new LegacyLife(bench).offered();
      const seen = `features ${offered.toString(16)}`;
      expect(hasFeature(offered, FEATURE.ANY_LAYOUT), seen);
    },
  ],
  [
    "LEGACY-EMPTY",
    "MUST",
    "notifies when a queue runs out of buffers, though flags is 1, with NOTIFY_ON_EMPTY",
    (bench) => {
      const life = new LegacyLife(bench);
      need(hasFeature(life.offered(), FEATURE.NOTIFY_ON_EMPTY), "NOTIFY_ON_EMPTY");
      life.begin(featureSet(FEATURE.NOTIFY_ON_EMPTY));
      const ring = life.legacyQueue(0);
      ring.wantInterrupts(false);
      life.driverOk();
      const { device } = life.bench;
      device.takeEvents();
      life.serve(ring, [life.onePage()]);
      const isTold = bench.until(() => (device.takeEvents() & ISR.QUEUE) !== 0);
      expect(isTold, "no notification of a queue without a buffer");
    },
  ],
]);

export const legacyChecks: readonly Check[] = [...general, ...pci, ...balloon, ...reserved];
