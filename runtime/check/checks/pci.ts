/** Checks of virtio over PCI (virtio 1.3, 4.1). */
import { BALLOON_CONFIG, BALLOON_FEATURE, BALLOON_PCI_IDS } from "../../balloon/constants.ts";
import type { Width } from "../../hal.ts";
import { CAPABILITY_VENDOR_SPECIFIC } from "../../pci/capabilities.ts";
import {
  CFG_TYPE,
  COMMON,
  FEATURE,
  ISR,
  STATUS,
  VIRTIO_PCI_VENDOR,
} from "../../virtio/constants.ts";
import { featureWord, hasFeature } from "../../virtio/features.ts";
import type { VirtioCapability } from "../../virtio/pci/capability-regions.ts";
import { type Bench, expect, LeftOut, need } from "../bench.ts";
import { type Check, inSection } from "../check.ts";
import { Life } from "../life.ts";
import { capabilityOffsets, type PciRegisters } from "../registers.ts";

/** Bit 3 of PCI's status register: the line is asserted (PCI 3.0, 6.2.3). */
const PCI_STATUS = 0x06;
const PCI_STATUS_INTERRUPT = 8;
const NO_VECTOR = 0xffff;

function pciOf(bench: Bench): PciRegisters {
  const { pci } = bench.device;
  if (pci === undefined) throw new LeftOut("PCI");
  return pci;
}

/** The capabilities of one type; their BAR is one that exists. */
function ofType(bench: Bench, cfgType: number): VirtioCapability[] {
  return pciOf(bench).capabilities.filter((one) => one.cfgType === cfgType && one.bar < 6);
}

function present(bench: Bench, cfgType: number, name: string): void {
  expect(ofType(bench, cfgType).length > 0, `no ${name} capability`);
}

function aligned(bench: Bench, cfgType: number, to: number): void {
  for (const { offset } of ofType(bench, cfgType)) {
    expect(offset % to === 0, `offset ${offset} is no multiple of ${to}`);
  }
}

const discovery = inSection("4.1.2.1", [
  [
    "PCI-IDS",
    "MUST",
    "has vendor 0x1af4 and the device id of its type",
    (bench) => {
      const { config, address } = pciOf(bench);
      const vendor = config.read(address, 0, 2);
      const id = config.read(address, 2, 2);
      const good = vendor === VIRTIO_PCI_VENDOR && BALLOON_PCI_IDS.includes(id);
      expect(good, `${vendor.toString(16)}:${id.toString(16)}`);
    },
  ],
  [
    "PCI-REVISION",
    "SHOULD",
    "has revision 1 or higher when it is not transitional",
    (bench) => {
      const { config, address } = pciOf(bench);
      need(config.read(address, 2, 2) >= 0x1040, "a device that is not transitional");
      const revision = config.read(address, 8, 1);
      expect(revision >= 1, `revision ${revision}`);
    },
  ],
  [
    "PCI-SUBSYSTEM",
    "SHOULD",
    "has a subsystem id of 0x40 or higher when it is not transitional",
    (bench) => {
      const { config, address } = pciOf(bench);
      need(config.read(address, 2, 2) >= 0x1040, "a device that is not transitional");
      const id = config.read(address, 0x2e, 2);
      expect(id >= 0x40, `subsystem id ${id}`);
    },
  ],
]);

const HALVES = [
  ["queueDescLow", 0x1234_5000],
  ["queueDescHigh", 0x2],
  ["queueDriverLow", 0x2345_6000],
  ["queueDriverHigh", 0x3],
  ["queueDeviceLow", 0x3456_7000],
  ["queueDeviceHigh", 0x4],
] as const;

const layout = inSection("4.1.3.2", [
  [
    "PCI-HALVES",
    "MUST",
    "lets both halves of a 64-bit field be accessed by themselves",
    (bench) => {
      pciOf(bench);
      const life = new Life(bench);
      life.negotiate();
      life.select(0);
      for (const [name, value] of HALVES) bench.device.write(name, value);
      for (const [name, value] of HALVES) {
        const seen = bench.device.read(name);
        expect(seen === value, `${name} reads ${seen.toString(16)} of ${value.toString(16)}`);
      }
    },
  ],
]);

const capabilities = inSection("4.1.4.2", [
  [
    "CAP-LENGTH",
    "MUST",
    "counts all of a structure in cap_len",
    (bench) => {
      const found = pciOf(bench);
      const { config, address } = found;
      for (const at of capabilityOffsets(found, CAPABILITY_VENDOR_SPECIFIC)) {
        const type = config.read(address, at + 3, 1);
        const needed = type === CFG_TYPE.NOTIFY || type === CFG_TYPE.PCI ? 20 : 16;
        const length = config.read(address, at + 2, 1);
        if (type < CFG_TYPE.COMMON || type > CFG_TYPE.PCI) continue;
        expect(length >= needed, `cap_len ${length} of type ${type}, ${needed} needed`);
      }
    },
  ],
]);

function featureRegisters(bench: Bench): void {
  const life = new Life(bench);
  const offered = life.offered();
  for (const word of [0, 1, 2, 3, 0x1_0000, 0xffff_ffff]) {
    const wanted = word < 2 ? featureWord(offered, word) : 0;
    const seen = life.offeredWord(word);
    const text = `word ${word} reads ${seen.toString(16)}, ${wanted.toString(16)} before`;
    expect(seen >>> 0 === wanted, text);
  }
}

/** What the target has to do with the generation. */
function generation(bench: Bench): void {
  const { device } = bench;
  const life = new Life(bench);
  life.negotiate();
  const read = () => device.readConfig(BALLOON_CONFIG.numPages);
  bench.ask({ do: "target", pages: 0 });
  read();
  const before = device.read("configGeneration");
  bench.ask({ do: "target", pages: 64 });
  const changed = bench.until(() => read() === 64);
  const after = device.read("configGeneration");
  bench.ask({ do: "target", pages: 0 });
  expect(changed, "num_pages does not follow the host");
  expect(after !== before, `config_generation stays ${before} while num_pages changes`);
}

/** The state of queue 0 after it was up and the device was reset. */
function afterReset(bench: Bench, name: "queueEnable" | "queueReset"): void {
  const needs = name === "queueReset" ? [FEATURE.RING_RESET] : [];
  const { life } = Life.start(bench, { needs });
  life.reset();
  if (name === "queueReset") life.negotiate({ needs });
  life.select(0);
  const value = bench.device.read(name);
  expect(value === 0, `${name} reads ${value}`);
}

export function resetOfQueue(bench: Bench): void {
  const { life } = Life.start(bench, { needs: [FEATURE.RING_RESET] });
  const { device } = bench;
  life.select(0);
  device.write("queueReset", 1);
  const ended = bench.until(
    () => device.read("queueReset") === 0 && device.read("queueEnable") === 0,
  );
  const seen = () =>
    `queue_reset ${device.read("queueReset")}, enable ${device.read("queueEnable")}`;
  expect(ended, ended ? "" : seen());
}

export function resetAfterEnable(bench: Bench): void {
  const { life } = Life.start(bench, { needs: [FEATURE.RING_RESET] });
  resetAlone(bench, life);
  life.queue(0);
  life.select(0);
  const { device } = bench;
  expect(device.read("queueEnable") === 1, "the queue cannot be enabled again");
  expect(device.read("queueReset") === 0, "queue_reset reads 1 of a queue that is enabled");
}

function resetAlone(bench: Bench, life: Life): void {
  life.select(0);
  bench.device.write("queueReset", 1);
  bench.until(() => bench.device.read("queueReset") === 0);
}

/** Sizes of more queues than a balloon has. */
function sizes(bench: Bench): number[] {
  const life = new Life(bench);
  life.negotiate();
  return Array.from({ length: 12 }, (_, index) => life.select(index));
}

const common = inSection("4.1.4.3.1", [
  [
    "COMMON-THERE",
    "MUST",
    "has a common configuration",
    (b) => present(b, CFG_TYPE.COMMON, "common"),
  ],
  ["COMMON-ALIGNED", "MUST", "aligns it to 4 bytes", (b) => aligned(b, CFG_TYPE.COMMON, 4)],
  [
    "COMMON-OFFER",
    "MUST",
    "shows its features by words, and 0 beyond the second",
    (bench) => {
      pciOf(bench);
      featureRegisters(bench);
    },
  ],
  [
    "COMMON-ACCEPTED",
    "MUST",
    "shows the valid features that the driver wrote",
    (bench) => {
      pciOf(bench);
      const life = new Life(bench);
      life.negotiate({ wants: [BALLOON_FEATURE.STATS_VQ] });
      for (const word of [0, 1]) {
        bench.device.write("driverFeatureSelect", word);
        const seen = bench.device.read("driverFeature") >>> 0;
        const wanted = featureWord(life.accepted, word);
        expect(seen === wanted, `word ${word}: ${seen.toString(16)} of ${wanted.toString(16)}`);
      }
    },
  ],
  [
    "COMMON-GENERATION",
    "MUST",
    "changes config_generation when a field has changed since it was read",
    (bench) => {
      pciOf(bench);
      generation(bench);
    },
  ],
  [
    "COMMON-RESET",
    "MUST",
    "resets when 0 is written to device_status",
    (bench) => {
      pciOf(bench);
      const { life } = Life.start(bench, { wants: [BALLOON_FEATURE.STATS_VQ] });
      life.reset();
      expect(bench.device.read("deviceStatus") === 0, "device_status is not 0");
      life.negotiate();
      expect((life.status & STATUS.DRIVER_OK) === 0, "DRIVER_OK is still set");
      life.select(0);
      expect(bench.device.read("queueEnable") === 0, "a queue is still enabled");
    },
  ],
  [
    "COMMON-ENABLE-RESET",
    "MUST",
    "shows 0 in queue_enable after a reset",
    (bench) => {
      pciOf(bench);
      afterReset(bench, "queueEnable");
    },
  ],
  [
    "COMMON-QRESET-RESET",
    "MUST",
    "shows 0 in queue_reset after a reset",
    (bench) => {
      pciOf(bench);
      afterReset(bench, "queueReset");
    },
  ],
  [
    "COMMON-QRESET-ENABLED",
    "MUST",
    "shows 0 in queue_reset once the queue is enabled",
    (bench) => {
      pciOf(bench);
      resetAfterEnable(bench);
    },
  ],
  [
    "COMMON-QRESET",
    "MUST",
    "resets a queue when 1 is written to queue_reset, and shows when it is done",
    (bench) => {
      pciOf(bench);
      resetOfQueue(bench);
    },
  ],
  [
    "COMMON-ABSENT",
    "MUST",
    "shows queue_size 0 for a queue that is not there",
    (bench) => {
      const { common } = pciOf(bench);
      const all = sizes(bench);
      const beyond = all.slice(common.read(COMMON.numQueues)).find((size) => size !== 0);
      expect(beyond === undefined, `queue_size ${beyond} beyond num_queues`);
      const life = new Life(bench);
      const many = life.select(0xffff);
      // Some devices take no such index: then another queue is chosen.
      if (common.read(COMMON.queueSelect) !== 0xffff) return;
      expect(many === 0, `queue_size ${many} of queue 65535`);
    },
  ],
  [
    "COMMON-SIZE",
    "MUST",
    "shows 0 or a power of two in queue_size without packed rings",
    (bench) => {
      pciOf(bench);
      const odd = sizes(bench).find((size) => (size & (size - 1)) !== 0);
      expect(odd === undefined, `queue_size ${odd}`);
    },
  ],
]);

/** The queues' notify addresses, with a field of so many bytes, lie in the structure. */
function notifyFits(bench: Bench, bytes: number): void {
  const { common, notifyLength, notifyOffMultiplier } = pciOf(bench);
  const life = new Life(bench);
  for (let index = 0; index < common.read(COMMON.numQueues); index++) {
    if (life.select(index) === 0) continue;
    const offset = common.read(COMMON.queueNotifyOff);
    const end = offset * notifyOffMultiplier + bytes;
    expect(end <= notifyLength, `queue ${index} needs ${end} bytes of ${notifyLength}`);
  }
}

/** Whether notifications carry data, as far as the offer goes. */
function offersData(bench: Bench): boolean {
  pciOf(bench);
  return hasFeature(new Life(bench).offered(), FEATURE.NOTIFICATION_DATA);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

function notifyRules(hasData: boolean): Check[] {
  const bytes = hasData ? 4 : 2;
  const end = hasData ? "with NOTIFICATION_DATA" : "without NOTIFICATION_DATA";
  const name = (id: string) => (hasData ? `${id}-DATA` : id);
  const where = (run: Check["run"]): Check["run"] => {
    return (bench) => {
      const what = hasData ? "NOTIFICATION_DATA" : "a device without NOTIFICATION_DATA";
      need(offersData(bench) === hasData, what);
      run(bench);
    };
  };
  return inSection("4.1.4.4.1", [
    [
      name("NOTIFY-ALIGNED"),
      "MUST",
      `aligns the structure to ${bytes} bytes ${end}`,
      where((bench) => aligned(bench, CFG_TYPE.NOTIFY, bytes)),
    ],
    [
      name("NOTIFY-MULTIPLIER"),
      "MUST",
      `has 0 or a power of two from ${bytes} up as notify_off_multiplier ${end}`,
      where((bench) => {
        const { notifyOffMultiplier: step } = pciOf(bench);
        expect(step === 0 || (isPowerOfTwo(step) && step >= bytes), `multiplier ${step}`);
      }),
    ],
    [
      name("NOTIFY-LENGTH"),
      "MUST",
      `has room for the notifications of all its queues ${end}`,
      where((bench) => notifyFits(bench, bytes)),
    ],
  ]);
}

const notification: readonly Check[] = [
  ...inSection("4.1.4.4.1", [
    [
      "NOTIFY-THERE",
      "MUST",
      "has a notification structure",
      (b) => present(b, CFG_TYPE.NOTIFY, "notify"),
    ],
  ]),
  ...notifyRules(false),
  ...notifyRules(true),
];

/** Raises an event and leaves it; returns whether PCI's status register shows it. */
function lineShown(bench: Bench): boolean {
  const { config, address } = pciOf(bench);
  return (config.read(address, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT) !== 0;
}

function raised(bench: Bench): Life {
  const { life, ring } = Life.split(bench);
  bench.device.takeEvents();
  life.serve(ring, [life.onePage()]);
  return life;
}

const isr = inSection("4.1.4.5.1", [
  ["ISR-THERE", "MUST", "has an ISR status", (b) => present(b, CFG_TYPE.ISR, "ISR")],
  [
    "ISR-QUEUE",
    "MUST",
    "sets the queue bit of the ISR status before it tells of a used buffer",
    (bench) => {
      pciOf(bench);
      raised(bench);
      const told = bench.until(() => (bench.device.takeEvents() & ISR.QUEUE) !== 0);
      expect(told, "a buffer was used, and no bit told of it");
    },
  ],
  [
    "ISR-LINE",
    "MUST",
    "shows in PCI's status register whether a bit of the ISR status is set",
    (bench) => {
      pciOf(bench);
      const life = new Life(bench);
      expect(!lineShown(bench), "the interrupt status is set before anything happened");
      expect(life.status === 0, "the device is not reset");
      raised(bench);
      expect(
        bench.until(() => lineShown(bench)),
        "the interrupt status is not set",
      );
      bench.device.takeEvents();
      expect(!lineShown(bench), "the interrupt status is set after the ISR status was read");
    },
  ],
  [
    "ISR-CLEARED",
    "MUST",
    "clears the ISR status when it is read",
    (bench) => {
      pciOf(bench);
      raised(bench);
      bench.until(() => lineShown(bench), 20);
      bench.device.takeEvents();
      const again = bench.device.takeEvents();
      expect(again === 0, `ISR status ${again} after it was read`);
    },
  ],
]);

const structures = [
  ...inSection("4.1.4.6", [
    [
      "DEVICE-THERE",
      "MUST",
      "has its configuration on PCI",
      (b) => present(b, CFG_TYPE.DEVICE, "device configuration"),
    ],
  ]),
  ...inSection("4.1.4.6.1", [
    [
      "DEVICE-ALIGNED",
      "MUST",
      "aligns its configuration to 4 bytes",
      (b) => aligned(b, CFG_TYPE.DEVICE, 4),
    ],
  ]),
  ...inSection("4.1.4.8.1", [
    [
      "VENDOR-ID",
      "MUST NOT",
      "has another vendor_id than 0x1af4 in a vendor data capability",
      (bench) => {
        for (const { at, config, address } of vendorData(bench)) {
          const id = config.read(address, at + 4, 2);
          expect(id !== VIRTIO_PCI_VENDOR, "vendor_id 1af4");
        }
      },
    ],
    [
      "VENDOR-LENGTH",
      "MUST",
      "gives a vendor data capability a multiple of 4 bytes",
      (bench) => {
        for (const { at, config, address } of vendorData(bench)) {
          const length = config.read(address, at + 2, 1);
          expect(length % 4 === 0, `cap_len ${length}`);
        }
      },
    ],
  ]),
];

function vendorData(bench: Bench) {
  const found = pciOf(bench);
  const { config, address } = found;
  const all = capabilityOffsets(found, CAPABILITY_VENDOR_SPECIFIC)
    .filter((at) => config.read(address, at + 3, 1) === CFG_TYPE.VENDOR)
    .map((at) => ({ at, config, address }));
  need(all.length > 0, "a vendor data capability");
  return all;
}

/** Points the configuration access window at device_status. Returns where its data stands. */
function pointWindow(bench: Bench): { data: number; read(): number; write(value: number): void } {
  const found = pciOf(bench);
  const { config, address } = found;
  const at = capabilityOffsets(found, CAPABILITY_VENDOR_SPECIFIC).find(
    (one) => config.read(address, one + 3, 1) === CFG_TYPE.PCI,
  );
  const [target] = ofType(bench, CFG_TYPE.COMMON);
  if (at === undefined || target === undefined) throw new LeftOut("a window");
  config.write(address, at + 4, 1, target.bar);
  config.write(address, at + 8, 4, target.offset + COMMON.deviceStatus.offset);
  config.write(address, at + 12, 4, 1);
  const width: Width = 1;
  return {
    data: at + 16,
    read: () => config.read(address, at + 16, width),
    write: (value) => config.write(address, at + 16, width, value),
  };
}

const windowAccess = inSection("4.1.4.9.1", [
  [
    "WINDOW-THERE",
    "MUST",
    "has a configuration access capability",
    (bench) => {
      const found = pciOf(bench).capabilities.some(({ cfgType }) => cfgType === CFG_TYPE.PCI);
      expect(found, "no PCI configuration access capability");
    },
  ],
  [
    "WINDOW-WRITE",
    "MUST",
    "carries out a write to pci_cfg_data",
    (bench) => {
      const life = new Life(bench);
      pointWindow(bench).write(1);
      expect(life.status === 1, `device_status ${life.status} after 1 was written`);
    },
  ],
  [
    "WINDOW-READ",
    "MUST",
    "carries out a read of pci_cfg_data",
    (bench) => {
      const life = new Life(bench);
      life.addStatus(1);
      life.addStatus(2);
      const seen = pointWindow(bench).read();
      expect(seen === 3, `${seen} is read where device_status is 3`);
    },
  ],
]);

/** The device's MSI-X, enabled, with a message for each vector. */
function withMessages(bench: Bench): { tableSize: number; common: PciRegisters["common"] } {
  const { msix, common } = pciOf(bench);
  if (msix === undefined) throw new LeftOut("MSI-X");
  const count = Math.min(2, msix.tableSize);
  const messages = bench.hal.interrupts?.allocate(count);
  if (messages === undefined) throw new LeftOut("interrupt messages");
  msix.enable(messages);
  return { tableSize: msix.tableSize, common };
}

/** Sets a vector. Returns what the register then reads. */
function vectorOf(
  common: PciRegisters["common"],
  field: "config" | "queue",
  vector: number,
): number {
  const register = field === "config" ? COMMON.configMsixVector : COMMON.queueMsixVector;
  common.write(register, vector);
  return common.read(register);
}

/** A negotiated device with MSI-X on and queue 0 chosen. */
function mapping(bench: Bench) {
  const life = new Life(bench);
  life.negotiate();
  const with_ = withMessages(bench);
  life.select(0);
  return { life, ...with_ };
}

const FIELDS = ["config", "queue"] as const;

const vectors = inSection("4.1.5.1.2.1", [
  [
    "MSIX-SIZE",
    "SHOULD",
    "has 2 to 2048 vectors",
    (bench) => {
      const { tableSize } = mapping(bench);
      expect(tableSize >= 2 && tableSize <= 0x800, `${tableSize} vectors`);
    },
  ],
  [
    "MSIX-MAP",
    "MUST",
    "maps any event to any vector",
    (bench) => {
      const { common, tableSize } = mapping(bench);
      for (const field of FIELDS) {
        for (const vector of new Set([0, 1 % tableSize, tableSize - 1])) {
          const seen = vectorOf(common, field, vector);
          expect(seen === vector, `${field}: vector ${vector} reads ${seen}`);
        }
      }
    },
  ],
  [
    "MSIX-UNMAP",
    "MUST",
    "unmaps any event",
    (bench) => {
      const { common } = mapping(bench);
      for (const field of FIELDS) {
        vectorOf(common, field, 0);
        const seen = vectorOf(common, field, NO_VECTOR);
        expect(seen === NO_VECTOR, `${field}: reads ${seen} after it was unmapped`);
      }
    },
  ],
  [
    "MSIX-RESET",
    "MUST",
    "has no event mapped after a reset",
    (bench) => {
      const { life, common } = mapping(bench);
      for (const field of FIELDS) vectorOf(common, field, 0);
      life.reset();
      life.select(0);
      const seen = [COMMON.configMsixVector, COMMON.queueMsixVector].map((at) => common.read(at));
      expect(
        seen.every((vector) => vector === NO_VECTOR),
        `vectors ${seen.join(", ")} after a reset`,
      );
    },
  ],
  [
    "MSIX-FAILURE",
    "MUST",
    "shows NO_VECTOR for a vector that it cannot map",
    (bench) => {
      const { common, tableSize } = mapping(bench);
      for (const field of FIELDS) {
        const seen = vectorOf(common, field, tableSize);
        expect(seen === NO_VECTOR, `${field}: vector ${tableSize} of ${tableSize} reads ${seen}`);
      }
    },
  ],
]);

/** A device with MSI-X on and these vectors; its messages so far are taken. */
function up(bench: Bench, config: number, queue: number) {
  const { life, common } = mapping(bench);
  vectorOf(common, "config", config);
  vectorOf(common, "queue", queue);
  const ring = life.queue(0);
  life.driverOk();
  bench.messages();
  return { life, ring };
}

const unmapped = [
  ...inSection("4.1.5.3.1", [
    [
      "MSIX-QUEUE-QUIET",
      "MUST NOT",
      "sends no message for a queue without a vector",
      (bench) => {
        const { life, ring } = up(bench, 0, NO_VECTOR);
        life.serve(ring, [life.onePage()]);
        bench.quiet();
        const came = bench.messages();
        expect(came.length === 0, `messages ${came.join(", ")} for a queue without a vector`);
      },
    ],
  ]),
  ...inSection("4.1.5.4.1", [
    [
      "MSIX-CONFIG-QUIET",
      "MUST NOT",
      "sends no message for its configuration without a vector",
      (bench) => {
        up(bench, NO_VECTOR, 1);
        bench.ask({ do: "target", pages: 48 });
        bench.quiet();
        const came = bench.messages();
        bench.ask({ do: "target", pages: 0 });
        expect(came.length === 0, `messages ${came.join(", ")} for the configuration`);
      },
    ],
  ]),
];

export const pciChecks: readonly Check[] = [
  ...discovery,
  ...layout,
  ...capabilities,
  ...common,
  ...notification,
  ...isr,
  ...structures,
  ...windowAccess,
  ...vectors,
  ...unmapped,
];
