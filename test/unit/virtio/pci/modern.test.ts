/** The modern PCI transport against a device that takes nothing but what is right. */

import { describe, expect, it } from "vitest";
import { BALLOON_CONFIG } from "../../../../runtime/balloon/constants.ts";
import { BallonetError } from "../../../../runtime/errors.ts";
import type { PciConfigAccess } from "../../../../runtime/pci/config.ts";
import { FEATURE, STATUS } from "../../../../runtime/virtio/constants.ts";
import { featureSet } from "../../../../runtime/virtio/features.ts";
import { openModernPci } from "../../../../runtime/virtio/pci/modern.ts";
import type { QueueSetup, Transport } from "../../../../runtime/virtio/transport.ts";
import { virtioCap } from "../../pci/config-space.ts";
import { FAKE_ADDRESS, FakeDevice, type FakeDeviceOptions } from "./fake-device.ts";

function open(device: FakeDevice, memoryEnd?: number): Transport {
  const { hal, config } = device;
  const options = { hal, config, address: FAKE_ADDRESS, configLength: 8 };
  return openModernPci(memoryEnd === undefined ? options : { ...options, memoryEnd });
}

/** Opened, and at the point where queues are set up. */
function ready(options: FakeDeviceOptions = {}) {
  const device = new FakeDevice(options);
  const transport = open(device);
  transport.reset();
  transport.addStatus(STATUS.ACKNOWLEDGE);
  transport.addStatus(STATUS.DRIVER);
  transport.addStatus(STATUS.FEATURES_OK);
  return { device, transport };
}

const QUEUE: QueueSetup = {
  index: 1,
  size: 64,
  descriptorArea: 0x12_3456_7000,
  driverArea: 0xffff_f000,
  deviceArea: 2 ** 52,
};

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
  it.each(["io", "memory", "memory-64"] as const)("finds its structures in %s space", (space) => {
    const device = new FakeDevice({ space, config: [7, 8, 9] });
    const transport = open(device);
    expect(transport.name).toBe("modern PCI at 00:0b.0");
    expect(transport.configLength).toBe(12);
    expect(transport.readConfig(BALLOON_CONFIG.actual)).toBe(8);
    expect(device.fake.get(0x04, 2) & 7).toBe(space === "io" ? 5 : 6);
    expect(transport.status()).toBe(0);
  });

  it("says which structure is missing", () => {
    const device = new FakeDevice();
    device.fake.set(0x9f, 1, 200); // the ISR capability becomes one of a reserved type
    expect(() => open(device)).toThrow("ISR status of the virtio device at 00:0b.0");
    expect(codeOf(() => open(device))).toBe("pci-capability");
  });

  it("says that a BAR has no address", () => {
    const device = new FakeDevice();
    device.fake.set(0x18, 4, 1);
    expect(() => open(device)).toThrow("BAR 2 is an I/O BAR with no address assigned");
    expect(codeOf(() => open(device))).toBe("pci-bar");
  });

  it("does not use memory that the guest cannot reach", () => {
    const device = new FakeDevice({ space: "memory-64" });
    expect(() => open(device, 2 ** 32)).toThrow("it ends beyond 0x100000000");
  });

  it.each([
    ["too short", virtioCap(1, 2, 0, 0x37), "55 bytes long, 56 needed"],
    ["misaligned", virtioCap(1, 2, 2, 0x38), "not a multiple of 4"],
    ["outside of the ports", virtioCap(1, 2, 0x4000, 0x38), "it ends beyond 0x10000"],
    ["far outside", virtioCap(1, 2, 0xffff_fffc, 0x38), "it ends beyond 0x10000"],
  ])("passes a structure over that is %s", (_, bytes, reason) => {
    const device = new FakeDevice();
    // In the place of the capability with the reserved type; the good one comes after it.
    bytes.forEach((byte, at) => {
      if (at !== 1) device.fake.set(0x58 + at, 1, byte);
    });
    expect(open(device).status()).toBe(0);
    device.fake.set(0x6b, 1, 200);
    expect(() => open(device)).toThrow(reason);
  });

  it("passes a capability over whose cap_len cannot hold it", () => {
    const device = new FakeDevice();
    device.fake.set(0x8a, 1, 16); // a notification capability without its multiplier
    expect(() => open(device)).toThrow("notification structure");
  });

  it("accepts structures and capabilities that are larger than needed", () => {
    const device = new FakeDevice();
    device.fake.set(0x6a, 1, 255).set(0x74, 4, 0xffff_ffff);
    expect(open(device).status()).toBe(0);
  });
});

describe("device configuration", () => {
  it("is read and written one whole field at a time", () => {
    const device = new FakeDevice({ config: [512, 3] });
    const transport = open(device);
    transport.writeConfig(BALLOON_CONFIG.actual, 0xffff_ffff);
    expect(transport.readConfig(BALLOON_CONFIG.actual)).toBe(0xffff_ffff);
    expect(device.deviceConfig).toEqual([512, 0xffff_ffff]);
  });

  it("ends where the device says", () => {
    const transport = open(new FakeDevice({ config: [1, 2] }));
    expect(codeOf(() => transport.readConfig(BALLOON_CONFIG.freePageHintCmdId))).toBe("access");
    expect(codeOf(() => transport.writeConfig({ offset: 2, width: 4 }, 0))).toBe("access");
  });
});

describe("queues", () => {
  it("are described with two halves of each address and enabled last", () => {
    const { device, transport } = ready();
    expect(transport.numQueues()).toBe(3);
    expect(transport.queueMaxSize(1)).toBe(128);
    expect(transport.queueMaxSize(9)).toBe(0);
    transport.setUpQueue(QUEUE);
    expect(device.queues[1]).toMatchObject({ size: 64, enabled: true });
    expect(device.queues[1]?.areas).toEqual([0x3456_7000, 0x12, 0xffff_f000, 0, 0, 0x10_0000]);
  });

  it.each([
    ["that does not exist", { index: 3 }],
    ["larger than possible", { size: 256 }],
    ["of no size", { size: 0 }],
    ["beyond 2^53", { driverArea: 2 ** 53 }],
    ["at a negative address", { deviceArea: -4096 }],
  ])("are refused: one %s", (_, wrong) => {
    const { transport, device } = ready();
    expect(codeOf(() => transport.setUpQueue({ ...QUEUE, ...wrong }))).toBe("queue");
    expect(device.queues.every(({ enabled }) => !enabled)).toBe(true);
  });

  it("are refused when they are up already, and can be set up again after a reset", () => {
    const { transport } = ready();
    transport.setUpQueue(QUEUE);
    expect(() => transport.setUpQueue(QUEUE)).toThrow("enabled already");
    transport.reset();
    for (const bit of [1, 2, 8]) transport.addStatus(bit);
    expect(codeOf(() => transport.setUpQueue(QUEUE))).toBe("no error");
  });

  it.each([
    { multiplier: 0, offsets: [0, 0, 0] },
    { multiplier: 2, offsets: [0, 2, 4] },
    { multiplier: 256, offsets: [0, 256, 512] },
  ])("are notified at their own address, multiplier $multiplier", ({ multiplier, offsets }) => {
    const { device, transport } = ready({ notifyOffMultiplier: multiplier });
    for (const index of [0, 1, 2]) transport.setUpQueue({ ...QUEUE, index });
    transport.addStatus(STATUS.DRIVER_OK);
    for (const index of [0, 1, 2]) transport.notify(index);
    expect(device.notified).toEqual(offsets.map((offset, value) => ({ offset, value })));
  });

  it("may share a notify address, and are told apart by the value", () => {
    const { device, transport } = ready({ notifyOff: (index) => (index < 2 ? 0 : 1) });
    for (const index of [0, 1, 2]) transport.setUpQueue({ ...QUEUE, index });
    transport.addStatus(STATUS.DRIVER_OK);
    for (const index of [0, 1, 2]) transport.notify(index);
    expect(device.notified.map(({ offset }) => offset)).toEqual([0, 0, 2]);
    expect(device.notified.map(({ value }) => value)).toEqual([0, 1, 2]);
  });

  it("are refused when they would be notified outside of the structure", () => {
    const { transport } = ready({ notifyOffMultiplier: 4096 });
    expect(() => transport.setUpQueue(QUEUE)).toThrow("queue_notify_off is wrong");
  });

  it("cannot be notified before they were set up, nor after a reset", () => {
    const { transport } = ready();
    expect(codeOf(() => transport.notify(1))).toBe("queue");
    transport.setUpQueue(QUEUE);
    transport.reset();
    expect(codeOf(() => transport.notify(1))).toBe("queue");
  });
});

/** As `ready`, with these bits of the upper feature word accepted. */
function readyWith(upper: number, options: FakeDeviceOptions = {}) {
  const device = new FakeDevice({ words: [0, upper], ...options });
  const transport = open(device);
  transport.reset();
  transport.addStatus(STATUS.ACKNOWLEDGE);
  transport.addStatus(STATUS.DRIVER);
  transport.writeDriverFeatures(0, 0);
  transport.writeDriverFeatures(1, upper);
  transport.addStatus(STATUS.FEATURES_OK);
  return { device, transport };
}

describe("notifications with the next place", () => {
  const upper = 1 | (1 << (FEATURE.NOTIFICATION_DATA - 32));

  it("are 32 bits, the queue below and the place above", () => {
    const { device, transport } = readyWith(upper, { notifyOffMultiplier: 4 });
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.notify(1, 0x8003);
    expect(device.notified).toEqual([{ offset: 4, value: 0x8003_0001 }]);
    expect(() => transport.notify(1)).toThrow("place undefined");
  });

  it("need an address that takes them", () => {
    const { transport } = readyWith(upper, { notifyOffMultiplier: 2 });
    expect(() => transport.setUpQueue(QUEUE)).toThrow("queue_notify_off is wrong");
  });

  it("are forgotten with a reset", () => {
    const { device, transport } = readyWith(upper);
    transport.reset();
    for (const bit of [1, 2, 8]) transport.addStatus(bit);
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.notify(1);
    expect(device.notified).toEqual([{ offset: 2, value: 1 }]);
  });

  it("stay 16 bits where they were not negotiated", () => {
    const { device, transport } = readyWith(1);
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.notify(1, 5);
    expect(device.notified).toEqual([{ offset: 2, value: 1 }]);
  });
});

describe("the reset of one queue", () => {
  const upper = 1 | (1 << (FEATURE.RING_RESET - 32));

  it("ends when both registers say so, and the queue can be set up again", () => {
    const { device, transport } = readyWith(upper, { commonLength: 0x3c });
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.resetQueue(1);
    expect(codeOf(() => transport.notify(1))).toBe("queue");
    const looks = [1, 2, 3, 4, 5].map(() => transport.isQueueReset(1));
    expect(looks).toEqual([false, false, false, true, true]);
    transport.setUpQueue({ ...QUEUE, size: 128 });
    transport.notify(1);
    expect(device.queues[1]).toMatchObject({ size: 128, enabled: true });
    expect(device.notified).toHaveLength(1);
  });

  it("needs RING_RESET", () => {
    const { transport } = readyWith(1, { commonLength: 0x3c });
    transport.setUpQueue(QUEUE);
    expect(() => transport.resetQueue(1)).toThrow("without RING_RESET");
  });

  it("cannot be had, nor words for queues, where their registers are missing", () => {
    const features = featureSet(FEATURE.NOTIF_CONFIG_DATA, FEATURE.RING_RESET);
    expect(readyWith(upper, { commonLength: 0x38 }).transport.unusableFeatures).toBe(features);
    expect(readyWith(upper, { commonLength: 0x3c }).transport.unusableFeatures).toBe(0n);
  });

  it("needs a queue that is set up", () => {
    const { transport } = readyWith(upper, { commonLength: 0x3c });
    expect(() => transport.resetQueue(1)).toThrow("not set up");
  });
});

describe("messages", () => {
  const upper = 1 | (1 << (FEATURE.RING_RESET - 32));
  const message = { address: 0x80_fee0_1000, data: 0xffff_fffe };

  function withMessages(vectors: number) {
    const device = new FakeDevice({ words: [0, upper], vectors, commonLength: 0x3c });
    const hal = { ...device.hal, interrupts: { allocate: (count: number) => list(count) } };
    const config: PciConfigAccess = {
      ...device.config,
      read: (address, offset, width) => device.config.read(address, offset, width),
      write: (address, offset, width, value) => {
        const wasOn = device.table.isEnabled;
        device.config.write(address, offset, width, value);
        if (!wasOn && device.table.isEnabled) turnedOnWith = device.table.entries;
      },
    };
    const transport = openModernPci({ hal, config, address: FAKE_ADDRESS, configLength: 8 });
    transport.reset();
    transport.addStatus(STATUS.ACKNOWLEDGE);
    transport.addStatus(STATUS.DRIVER);
    transport.writeDriverFeatures(1, upper);
    transport.addStatus(STATUS.FEATURES_OK);
    return { device, transport };
  }
  const list = (count: number) => Array.from({ length: count }, () => message);
  /** The entries when MSI-X was turned on last: some devices look at them just then. */
  let turnedOnWith: FakeDevice["table"]["entries"] = [];

  it("are set up before the queues, and come back with a queue that was reset", () => {
    const { device, transport } = withMessages(8);
    expect(transport.setUpInterrupts([0, 1])).toMatchObject({ kind: "msix", messages: 3 });
    expect(device.table.entries[2]).toEqual({ ...message, masked: false });
    expect(device.table.entries[3]).toMatchObject({ masked: true });
    expect(turnedOnWith).toEqual(device.table.entries);
    expect(device.configVector).toBe(0);
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.resetQueue(1);
    while (!transport.isQueueReset(1));
    expect(device.queues[1]?.vector).toBe(0xffff);
    transport.setUpQueue(QUEUE);
    expect(device.queues.map(({ vector }) => vector)).toEqual([1, 2, 0xffff]);
    expect(device.fake.get(0x04, 2) & 7).toBe(7);
  });

  it.each([
    ["in a BAR that is not memory", (device: FakeDevice) => device.fake.set(0x20, 4, 0)],
    ["beyond its space", (device: FakeDevice) => device.fake.set(0xd4, 4, 0xffff_fff4)],
  ])("are done without when their table is %s", (_, spoil) => {
    const device = new FakeDevice({ vectors: 8 });
    spoil(device);
    const lines: string[] = [];
    const hal = {
      ...device.hal,
      log: (_: string, line: string) => lines.push(line),
      interrupts: { allocate: list },
    };
    const { config } = device;
    const transport = openModernPci({ hal, config, address: FAKE_ADDRESS, configLength: 8 });
    transport.reset();
    expect(transport.setUpInterrupts([0, 1])).toEqual({ kind: "line" });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("MSI-X of 00:0b.0");
  });
});

describe("status and interrupts", () => {
  it("keeps the bits that the device has set when it adds one", () => {
    const { device, transport } = ready();
    device.status |= STATUS.DEVICE_NEEDS_RESET;
    transport.addStatus(STATUS.FAILED);
    expect(device.status).toBe(1 | 2 | 8 | 64 | 128);
  });

  it("knows a device that is gone", () => {
    const { device, transport } = ready();
    device.gone = true;
    expect(codeOf(() => transport.addStatus(STATUS.DRIVER_OK))).toBe("device-gone");
  });

  it.each([
    [0, false, false],
    [1, true, false],
    [2, false, true],
    [3, true, true],
    [0xfd, true, false],
  ])("reads ISR %i once and takes it back", (isr, queue, config) => {
    const { device, transport } = ready();
    device.isr = isr;
    expect(transport.acknowledgeInterrupt()).toEqual({ queue, config });
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: false, config: false });
  });

  it("resets the device and takes its bus mastering when torn down", () => {
    const { device, transport } = ready();
    transport.tearDown();
    expect(device.status).toBe(0);
    expect(device.fake.get(0x04, 2)).toBe(0x0401);
    expect(transport.status()).toBe(0);
    transport.reset();
    expect(device.fake.get(0x04, 2)).toBe(0x0005);
  });
});
