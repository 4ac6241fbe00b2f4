/** The MMIO transport, both versions, against a device that takes nothing but what is right. */
import { describe, expect, it } from "vitest";
import { BALLOON_CONFIG } from "../../../../runtime/balloon/constants.ts";
import { BallonetError } from "../../../../runtime/errors.ts";
import { BringUp } from "../../../../runtime/virtio/bring-up.ts";
import { FEATURE, STATUS } from "../../../../runtime/virtio/constants.ts";
import { featureSet } from "../../../../runtime/virtio/features.ts";
import {
  findMmio,
  MICROVM_FIRST_LINES,
  microvmSlots,
  mmioSlotsOf,
} from "../../../../runtime/virtio/mmio/find.ts";
import { identifyMmio, openMmio } from "../../../../runtime/virtio/mmio/mmio.ts";
import type { QueueSetup } from "../../../../runtime/virtio/transport.ts";
import { FakeMmio, type FakeMmioOptions, MMIO_BASE } from "./fake-mmio.ts";

const SLOT = { base: MMIO_BASE, size: 512 };
const VERSION_1_WORDS = [2, 1];

function open(device: FakeMmio, interrupts: "best" | "polling" = "best") {
  return openMmio({ hal: device.hal, slot: SLOT, configLength: 8, interrupts });
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

/** Up to the point where queues are set up, with these features accepted. */
function ready(options: FakeMmioOptions = {}, features = featureSet(FEATURE.VERSION_1)) {
  const device = new FakeMmio(options);
  const transport = open(device);
  transport.reset();
  transport.addStatus(STATUS.ACKNOWLEDGE);
  transport.addStatus(STATUS.DRIVER);
  for (let word = 0; word < transport.featureWords; word++) {
    const value = Number((features >> BigInt(32 * word)) & 0xffff_ffffn);
    transport.writeDriverFeatures(word, value);
  }
  if (!transport.isLegacy) transport.addStatus(STATUS.FEATURES_OK);
  return { device, transport };
}

/** Laid out as both versions take it: 256 entries are 4096 + 518 bytes, then the next page. */
const QUEUE: QueueSetup = {
  index: 1,
  size: 256,
  descriptorArea: 0x12_3456_7000,
  driverArea: 0x12_3456_8000,
  deviceArea: 0x12_3456_9000,
};

describe("a slot", () => {
  it.each([
    ["another magic", { magic: 0x7472_6977 }, 1],
    ["an unknown version", { version: 3 as 2 }, 2],
    ["no device", { deviceId: 0 }, 3],
  ])("with %s is left alone, and no further register read", (_, options, reads) => {
    const device = new FakeMmio(options);
    expect(identifyMmio(device.hal, SLOT)).toBeUndefined();
    expect(device.readCount).toBe(reads);
    expect(codeOf(() => open(device))).toBe("no-device");
  });

  it("that is too small or not aligned is not even asked", () => {
    const device = new FakeMmio();
    expect(identifyMmio(device.hal, { ...SLOT, size: 0xfc })).toBeUndefined();
    expect(identifyMmio(device.hal, { base: MMIO_BASE + 2, size: 512 })).toBeUndefined();
    expect(device.readCount).toBe(0);
    const small = { hal: device.hal, slot: { ...SLOT, size: 0x104 }, configLength: 8 };
    expect(codeOf(() => openMmio(small))).toBe("access");
  });

  it.each([1, 2] as const)("of version %i says who it is", (version) => {
    const device = new FakeMmio({ version });
    expect(identifyMmio(device.hal, SLOT)).toEqual({ version, deviceId: 5 });
    expect(open(device)).toMatchObject({
      isLegacy: version === 1,
      featureWords: version,
      fixedQueueSize: false,
      ringLayout: { contiguous: version === 1, alignment: version === 1 ? 4096 : 4 },
      configLength: 0x100,
    });
    expect(device.log).toEqual([]);
  });
});

describe("bring-up", () => {
  it.each([1, 2] as const)("of version %i", (version) => {
    const device = new FakeMmio({ version, words: VERSION_1_WORDS });
    const transport = open(device);
    const steps: string[] = [];
    const bringUp = new BringUp({
      transport,
      decide: (offered) => offered,
      queues: () => [
        QUEUE,
        { ...QUEUE, index: 0, descriptorArea: 0x7000, driverArea: 0x8000, deviceArea: 0x9000 },
      ],
      onStep: (step) => steps.push(step),
    });
    while (bringUp.state.name !== "running") {
      if (bringUp.advance() === "failed") throw new Error(JSON.stringify(bringUp.state));
    }
    expect(steps.includes("set-features-ok")).toBe(version === 2);
    expect(device.accepted).toEqual(version === 2 ? [2, 1] : [2, 0]);
    expect(device.status).toBe(version === 2 ? 15 : 7);
    expect(device.queues[1]).toMatchObject(
      version === 2
        ? {
            ready: true,
            size: 256,
            areas: [0x3456_7000, 0x12, 0x3456_8000, 0x12, 0x3456_9000, 0x12],
          }
        : { pfn: 0x1234567, size: 256, align: 4096 },
    );
    expect(transport.interruptMode).toEqual({ kind: "line" });
  });
});

describe("queues", () => {
  it.each([1, 2] as const)("of version %i are counted by their sizes", (version) => {
    const { transport } = ready({ version, queueSizes: [64, 64, 0, 0, 32] });
    expect(transport.numQueues()).toBe(5);
    expect([0, 2, 7].map((index) => transport.queueMaxSize(index))).toEqual([64, 0, 0]);
  });

  it.each(
    ([1, 2] as const).flatMap((version) =>
      [
        { index: 3 },
        { size: 2048 },
        { size: 0 },
        { descriptorArea: 2 ** 53, driverArea: 2 ** 53 + 4096, deviceArea: 2 ** 53 + 8192 },
      ].map((wrong) => [version, wrong] as const),
    ),
  )("of version %i are refused: %o", (version, wrong) => {
    const { device, transport } = ready({ version });
    expect(codeOf(() => transport.setUpQueue({ ...QUEUE, ...wrong }))).toBe("queue");
    expect(device.queues.every((queue) => !queue.ready && queue.pfn === 0)).toBe(true);
  });

  it.each([1, 2] as const)(
    "of version %i are refused twice, and again fine after a reset",
    (version) => {
      const { device, transport } = ready({ version });
      expect(codeOf(() => transport.notify(1))).toBe("queue");
      transport.setUpQueue(QUEUE);
      expect(() => transport.setUpQueue(QUEUE)).toThrow("in use already");
      transport.reset();
      expect(codeOf(() => transport.notify(1))).toBe("queue");
      transport.addStatus(STATUS.ACKNOWLEDGE);
      transport.addStatus(STATUS.DRIVER);
      expect(codeOf(() => transport.setUpQueue(QUEUE))).toBe("no error");
      expect(device.log.filter((line) => line === "40=0")).toEqual([]);
    },
  );

  it("of version 1 must lie in one piece", () => {
    const { transport } = ready({ version: 1 });
    const apart = { ...QUEUE, deviceArea: QUEUE.deviceArea + 4096 };
    expect(() => transport.setUpQueue(apart)).toThrow("areas at");
  });

  it("are notified by their index", () => {
    const { device, transport } = ready();
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.notify(1);
    transport.notify(1, 0x8001);
    expect(device.notified).toEqual([1, 1]);
  });

  it("are notified with the next place when that was negotiated", () => {
    const features = featureSet(FEATURE.VERSION_1, FEATURE.NOTIFICATION_DATA);
    const { device, transport } = ready({}, features);
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.notify(1, 0xffff);
    transport.notify(1, 0);
    expect(device.notified).toEqual([0xffff_0001, 1]);
    expect(codeOf(() => transport.notify(1))).toBe("queue");
    expect(codeOf(() => transport.notify(1, 0x1_0000))).toBe("queue");
  });
});

describe("the reset of one queue", () => {
  const features = featureSet(FEATURE.VERSION_1, FEATURE.RING_RESET);

  it("ends when the device says so, and the queue can be set up again", () => {
    const { device, transport } = ready({ queueResetReads: 2 }, features);
    transport.setUpQueue(QUEUE);
    transport.addStatus(STATUS.DRIVER_OK);
    transport.resetQueue(1);
    const looks = [1, 2, 3, 4].map(() => transport.isQueueReset(1));
    expect(looks).toEqual([false, false, false, true]);
    expect(codeOf(() => transport.notify(1))).toBe("queue");
    transport.setUpQueue({ ...QUEUE, size: 64 });
    transport.notify(1);
    expect(device.queues[1]).toMatchObject({ ready: true, size: 64 });
    expect(device.notified).toEqual([1]);
  });

  it("needs RING_RESET, a queue that is set up, and version 2", () => {
    const without = ready();
    without.transport.setUpQueue(QUEUE);
    expect(() => without.transport.resetQueue(1)).toThrow("without RING_RESET");
    const empty = ready({}, features);
    expect(() => empty.transport.resetQueue(1)).toThrow("not set up");
    const legacy = ready({ version: 1 });
    legacy.transport.setUpQueue(QUEUE);
    expect(codeOf(() => legacy.transport.resetQueue(1))).toBe("queue");
    expect(legacy.transport.isQueueReset(1)).toBe(false);
  });
});

describe("configuration and interrupts", () => {
  it.each([1, 2] as const)("reads and writes whole fields in version %i", (version) => {
    const { transport } = ready({ version });
    const { numPages, actual } = BALLOON_CONFIG;
    transport.writeConfig(actual, 0xffff_ffff);
    expect(transport.readConfig(numPages)).toBe(7);
    expect(transport.readConfig(actual)).toBe(0xffff_ffff);
  });

  it("acknowledges what it knows of, and nothing else", () => {
    const { device, transport } = ready();
    device.interruptStatus = 0xff;
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: true, config: true });
    expect(device.interruptStatus).toBe(0xfc);
    const { length } = device.log;
    expect(transport.acknowledgeInterrupt()).toEqual({ queue: false, config: false });
    expect(device.log).toHaveLength(length);
  });

  it("is a line, or none by choice", () => {
    const device = new FakeMmio();
    expect(open(device).setUpInterrupts([0])).toEqual({ kind: "line" });
    expect(open(device, "polling").setUpInterrupts([0])).toEqual({ kind: "polling" });
  });
});

describe("where slots are", () => {
  it.each([
    ["virtio_mmio.device=512@0xfeb00e00:12", [{ size: 512, base: 0xfeb0_0e00, interruptLine: 12 }]],
    ["virtio-mmio.device=4K@0x1e000:42:7", [{ size: 4096, base: 0x1_e000, interruptLine: 42 }]],
    ["a virtio_mmio.device=1M@1G:5 b", [{ size: 2 ** 20, base: 2 ** 30, interruptLine: 5 }]],
    [
      "virtio_mmio.device=0x200@0xd0000000:5\tvirtio_mmio.device=0x200@0xd0000200:6",
      [
        { size: 512, base: 0xd000_0000, interruptLine: 5 },
        { size: 512, base: 0xd000_0200, interruptLine: 6 },
      ],
    ],
    ["quiet ballonet.device=1 virtio_mmio.devices=1", []],
    ["", []],
  ])("%j", (commandLine, slots) => {
    expect(mmioSlotsOf(commandLine)).toEqual(slots);
  });

  it.each([
    "",
    "512",
    "512@",
    "512@0x1000",
    "@0x1000:5",
    "1.5@0x1000:5",
    "512@0x1000:5:6:7",
    "x@1:2",
  ])("refuses %j", (value) => {
    expect(codeOf(() => mmioSlotsOf(`virtio_mmio.device=${value}`))).toBe("config");
  });

  it("refuses a command line of nothing else", () => {
    const word = "virtio_mmio.device=512@0x1000:5 ";
    expect(mmioSlotsOf(word.repeat(64))).toHaveLength(64);
    expect(codeOf(() => mmioSlotsOf(word.repeat(65)))).toBe("config");
  });

  it("finds the device among a microvm's slots", () => {
    const device = new FakeMmio();
    const hal = {
      ...device.hal,
      mmioRead: (at: number, width: 1 | 2 | 4) =>
        at >= MMIO_BASE && at < MMIO_BASE + 512 ? device.hal.mmioRead(at, width) : 0,
    };
    const slots = microvmSlots(MICROVM_FIRST_LINES.plain);
    expect(slots).toHaveLength(24);
    expect(findMmio(hal, slots, 5)).toEqual([{ base: MMIO_BASE, size: 512, interruptLine: 12 }]);
    expect(findMmio(hal, slots, 4)).toEqual([]);
    expect(microvmSlots()[7]).toEqual({ base: MMIO_BASE, size: 512 });
  });
});
