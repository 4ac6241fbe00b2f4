/** The legacy PCI transport against a device that takes nothing but what is right. */
import { describe, expect, it } from "vitest";
import { BALLOON_CONFIG } from "../../../../runtime/balloon/constants.ts";
import { BallonetError } from "../../../../runtime/errors.ts";
import { BringUp, type BringUpStep } from "../../../../runtime/virtio/bring-up.ts";
import { STATUS } from "../../../../runtime/virtio/constants.ts";
import { featureSet } from "../../../../runtime/virtio/features.ts";
import { openLegacyPci } from "../../../../runtime/virtio/pci/legacy.ts";
import { openPci } from "../../../../runtime/virtio/pci/open.ts";
import type { PciTransportOptions } from "../../../../runtime/virtio/pci/transport.ts";
import type { QueueSetup } from "../../../../runtime/virtio/transport.ts";
import { virtioCap } from "../../pci/config-space.ts";
import { FakeLegacy, type FakeLegacyOptions, LEGACY_ADDRESS } from "./fake-legacy.ts";

const CONFIG_OFF = 0x14;
const CONFIG_ON = 0x18;

function optionsFor(device: FakeLegacy): PciTransportOptions {
  const { hal, config } = device;
  return { hal, config, address: LEGACY_ADDRESS, configLength: 8 };
}

/** Opened, and at the point where queues are set up. */
function ready(options: FakeLegacyOptions = {}) {
  const device = new FakeLegacy(options);
  const transport = openLegacyPci(optionsFor(device));
  transport.reset();
  transport.addStatus(STATUS.ACKNOWLEDGE);
  transport.addStatus(STATUS.DRIVER);
  return { device, transport };
}

/** 128 entries: 2048 + 262 bytes, then the next page. */
function queue(index: number): QueueSetup {
  const descriptorArea = 0x10_0000 + index * 0x4000;
  return {
    index,
    size: 128,
    descriptorArea,
    driverArea: descriptorArea + 0x800,
    deviceArea: descriptorArea + 0x1000,
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof BallonetError) return error.code;
    throw error;
  }
  return "no error";
}

describe("opening", () => {
  it("says what the driver must know of the interface", () => {
    const device = new FakeLegacy();
    const transport = openLegacyPci(optionsFor(device));
    expect(transport).toMatchObject({
      name: "legacy PCI at 00:03.0",
      isLegacy: true,
      ringLayout: { contiguous: true, alignment: 4096 },
      fixedQueueSize: true,
      featureWords: 1,
      requiredFeatures: 0n,
      configLength: 64 - CONFIG_ON,
    });
    expect(device.fake.get(0x04, 2)).toBe(5);
    expect(device.log).toEqual([]);
  });

  it.each([
    ["pci-capability", "revision 1", 0x08, 1, 1],
    ["pci-bar", "no address assigned", 0x10, 4, 0],
  ] as const)("is refused with %s: %s", (code, reason, offset, width, value) => {
    const device = new FakeLegacy();
    device.fake.bytes.setUint32(0x10, 0, true);
    if (offset !== 0x10) device.fake.set(0x10, 4, 0xc041);
    device.fake.set(offset, width, value);
    expect(() => openLegacyPci(optionsFor(device))).toThrow(reason);
    expect(codeOf(() => openLegacyPci(optionsFor(device)))).toBe(code);
  });

  it("is refused when the ports cannot hold the configuration", () => {
    const device = new FakeLegacy();
    const options = { ...optionsFor(device), configLength: 41 };
    expect(() => openLegacyPci(options)).toThrow("64 ports");
  });
});

describe("a transitional device", () => {
  it.each(["modern", "legacy"] as const)(
    "without capabilities is legacy, %s preferred",
    (prefer) => {
      const device = new FakeLegacy();
      expect(openPci({ ...optionsFor(device), prefer }).isLegacy).toBe(true);
    },
  );

  it("tells of the preferred interface when neither can be used", () => {
    const device = new FakeLegacy();
    device.fake.set(0x08, 1, 9);
    expect(() => openPci(optionsFor(device))).toThrow("notification structure");
    expect(() => openPci({ ...optionsFor(device), prefer: "legacy" })).toThrow("revision 9");
  });

  it("has its modern interface used, unless it is legacy that is preferred", () => {
    const device = new FakeLegacy();
    device.fake.capabilities([
      { at: 0x68, bytes: virtioCap(1, 1, 0x000, 0x38) },
      { at: 0x88, bytes: virtioCap(2, 1, 0x100, 0x100, [2]) },
      { at: 0x9c, bytes: virtioCap(3, 1, 0x201, 1) },
      { at: 0xac, bytes: virtioCap(4, 1, 0x300, 8) },
    ]);
    expect(openPci(optionsFor(device)).isLegacy).toBe(false);
    expect(openPci({ ...optionsFor(device), prefer: "legacy" }).isLegacy).toBe(true);
    device.fake.set(0x02, 2, 0x1045);
    expect(openPci({ ...optionsFor(device), prefer: "legacy" }).isLegacy).toBe(false);
  });
});

describe("bring-up", () => {
  it("has every step but FEATURES_OK", () => {
    const device = new FakeLegacy({ features: (1 << 1) | (1 << 29) });
    const transport = openLegacyPci(optionsFor(device));
    const steps: BringUpStep[] = [];
    const bringUp = new BringUp({
      transport,
      decide: (offered) => offered & ~featureSet(29),
      queues: () => [queue(0), queue(1)],
      onStep: (step) => steps.push(step),
    });
    while (bringUp.state.name !== "running") {
      if (bringUp.advance() === "failed") throw new Error(JSON.stringify(bringUp.state));
    }
    expect(steps).toEqual([
      ...["reset", "await-reset", "acknowledge", "driver", "read-features", "decide"],
      ...["write-features", "check-offer", "queues", "interrupts", "set-up-queues"],
      ...["before-driver-ok", "driver-ok", "after-driver-ok"],
    ]);
    expect(bringUp.state).toMatchObject({ negotiation: { negotiated: 2n, refusals: 0 } });
    expect(device.accepted).toBe(2);
    expect(device.status).toBe(1 | 2 | 4);
    expect(device.queues.map(({ pfn }) => pfn)).toEqual([0x100, 0x104, 0]);
    expect(transport.interruptMode).toEqual({ kind: "line" });
    transport.notify(1);
    expect(device.notified).toEqual([1]);
  });
});

describe("queues", () => {
  it("are counted by their sizes, also beyond one that is not there", () => {
    const { transport } = ready({ queueSizes: [128, 128, 0, 32] });
    expect(transport.numQueues()).toBe(4);
    expect(transport.queueMaxSize(2)).toBe(0);
  });

  it.each([
    ["that does not exist", { index: 3 }],
    ["smaller than the device's", { size: 64, driverArea: 0x10_0400 }],
    ["off the page", { descriptorArea: 0x10_0800 }],
    ["on page 0", { descriptorArea: 0, driverArea: 0x800, deviceArea: 0x1000 }],
    ["beyond 2^44", { descriptorArea: 2 ** 44 }],
    ["with its driver area elsewhere", { driverArea: 0x10_0900 }],
    ["with its device area elsewhere", { deviceArea: 0x10_0908 }],
  ])("are refused: one %s", (_, wrong) => {
    const { transport, device } = ready();
    expect(codeOf(() => transport.setUpQueue({ ...queue(0), ...wrong }))).toBe("queue");
    expect(device.queues.every(({ pfn }) => pfn === 0)).toBe(true);
  });

  it("are refused twice, notified only when set up, and not reset alone", () => {
    const { transport } = ready();
    expect(codeOf(() => transport.notify(0))).toBe("queue");
    transport.setUpQueue(queue(0));
    expect(() => transport.setUpQueue(queue(0))).toThrow("in use already");
    expect(codeOf(() => transport.resetQueue(0))).toBe("queue");
    expect(transport.isQueueReset(0)).toBe(false);
    transport.reset();
    expect(codeOf(() => transport.notify(0))).toBe("queue");
  });
});

describe("device configuration", () => {
  it("is written with one 32-bit store", () => {
    const { device, transport } = ready();
    transport.writeConfig(BALLOON_CONFIG.actual, 0x1_0203);
    expect(device.log.at(-1)).toBe(`config 4=${0x1_0203}`);
    expect(codeOf(() => transport.readConfig({ offset: 64 - CONFIG_OFF, width: 4 }))).toBe(
      "access",
    );
  });
});

describe("interrupts", () => {
  const QUEUES = [0, 1, 2];

  it.each([
    { vectors: 4, messages: 4, inUse: 4, queues: [1, 2, 3] },
    { vectors: 8, messages: 8, inUse: 4, queues: [1, 2, 3] },
    { vectors: 3, messages: 8, inUse: 2, queues: [1, 1, 1] },
    { vectors: 8, messages: 3, inUse: 2, queues: [1, 1, 1] },
    { vectors: 1, messages: 8, inUse: 1, queues: [0, 0, 0] },
    { vectors: 8, messages: 8, acceptsVectors: 3, inUse: 2, queues: [1, 1, 1] },
    { vectors: 8, messages: 8, acceptsVectors: 1, inUse: 1, queues: [0, 0, 0] },
  ])("by messages, as many as there are: %o", ({ inUse, queues, ...options }) => {
    const { device, transport } = ready(options);
    const mode = transport.setUpInterrupts(QUEUES);
    const vectors = new Map(QUEUES.map((index) => [index, queues[index] ?? 0]));
    expect(mode).toEqual({ kind: "msix", messages: inUse, config: 0, queues: vectors });
    for (const index of QUEUES) transport.setUpQueue(queue(index));
    expect(device.configVector).toBe(0);
    expect(device.queues.map(({ vector }) => vector)).toEqual(queues);
    expect(device.table.control & 0xc000).toBe(0x8000);
    for (const [index, entry] of device.table.entries.slice(0, inUse).entries()) {
      expect(entry).toEqual({ address: 0xfee0_0000, data: 0x40 + index, masked: false });
    }
  });

  it("move the device configuration while they are messages", () => {
    const { device, transport } = ready({ vectors: 4, messages: 4 });
    expect(transport.readConfig(BALLOON_CONFIG.actual)).toBe(8);
    transport.setUpInterrupts(QUEUES);
    expect(transport.readConfig(BALLOON_CONFIG.actual)).toBe(8);
    transport.writeConfig(BALLOON_CONFIG.actual, 9);
    expect(device.deviceConfig).toEqual([7, 9]);
    transport.reset();
    expect(device.table.isEnabled).toBe(false);
    expect(transport.interruptMode).toEqual({ kind: "polling" });
    expect(transport.readConfig(BALLOON_CONFIG.actual)).toBe(9);
  });

  it("ask for messages once, whatever happens to the device", () => {
    const { device, transport } = ready({ vectors: 4, messages: 9 });
    const first = transport.setUpInterrupts(QUEUES);
    transport.reset();
    transport.addStatus(STATUS.ACKNOWLEDGE);
    transport.addStatus(STATUS.DRIVER);
    expect(transport.setUpInterrupts(QUEUES)).toEqual(first);
    expect(device.handedOut).toBe(4);
  });

  it.each([{ acceptsVectors: 0 }, { acceptsConfigVectors: 0 }, { acceptsQueueVectors: 0 }])(
    "are a line where vectors are refused, and MSI-X is off then: %o",
    (refuses) => {
      const { device, transport } = ready({ vectors: 4, messages: 4, ...refuses });
      expect(transport.setUpInterrupts(QUEUES)).toEqual({ kind: "line" });
      expect(device.configVector).toBe(0xffff);
      expect(device.queues.map(({ vector }) => vector)).toEqual([0xffff, 0xffff, 0xffff]);
      expect(device.table.isEnabled).toBe(false);
      expect(transport.readConfig(BALLOON_CONFIG.numPages)).toBe(7);
    },
  );

  it("are a line where the machine has no messages, and MSI-X that was on is off", () => {
    const device = new FakeLegacy({ vectors: 4 });
    device.fake.set(0x42, 2, 0x8003);
    const transport = openLegacyPci(optionsFor(device));
    expect(device.table.isEnabled).toBe(false);
    transport.reset();
    expect(transport.setUpInterrupts(QUEUES)).toEqual({ kind: "line" });
  });

  it("are none where the function has no pin, or by choice, and then the line is masked", () => {
    const pinless = ready();
    pinless.device.fake.set(0x3d, 1, 0);
    expect(pinless.transport.setUpInterrupts(QUEUES)).toEqual({ kind: "polling" });

    const device = new FakeLegacy({ vectors: 4, messages: 4 });
    const transport = openLegacyPci({ ...optionsFor(device), interrupts: "polling" });
    transport.reset();
    expect(transport.setUpInterrupts(QUEUES)).toEqual({ kind: "polling" });
    expect(device.fake.get(0x04, 2)).toBe(0x0405);
  });

  it("are told apart by the ISR on a line, and by the message otherwise", () => {
    const line = ready();
    line.transport.setUpInterrupts(QUEUES);
    line.device.isr = 3;
    expect(line.transport.acknowledgeInterrupt()).toEqual({ queue: true, config: true });
    expect(line.transport.acknowledgeInterrupt()).toEqual({ queue: false, config: false });

    const { device, transport } = ready({ vectors: 4, messages: 4 });
    transport.setUpInterrupts(QUEUES);
    device.isr = 3;
    expect(transport.acknowledgeInterrupt(1 << 0)).toEqual({ queue: false, config: true });
    expect(transport.acknowledgeInterrupt(1 << 3)).toEqual({ queue: true, config: false });
    expect(transport.acknowledgeInterrupt(1 << 4)).toEqual({ queue: false, config: false });
    expect(transport.acknowledgeInterrupt(0)).toEqual({ queue: false, config: false });
    expect(transport.acknowledgeInterrupt(0b1001)).toEqual({ queue: true, config: true });
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: true, config: true });
    expect(device.isr).toBe(3);
  });
});

describe("the end", () => {
  it("knows a device that is gone", () => {
    const { device, transport } = ready();
    device.gone = true;
    expect(codeOf(() => transport.addStatus(STATUS.DRIVER_OK))).toBe("device-gone");
  });

  it("resets the device and takes its bus mastering", () => {
    const { device, transport } = ready();
    transport.setUpQueue(queue(0));
    transport.tearDown();
    expect(device.status).toBe(0);
    expect(device.fake.get(0x04, 2)).toBe(0x0401);
    expect(device.log.filter((line) => line === "8=0")).toEqual([]);
  });
});
