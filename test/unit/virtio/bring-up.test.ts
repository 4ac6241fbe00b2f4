/** Bring-up, step by step, against a device that throws at a step out of order. */
import { describe, expect, it } from "vitest";
import { BALLOON_CONFIG } from "../../../runtime/balloon/constants.ts";
import { BallonetError } from "../../../runtime/errors.ts";
import {
  BringUp,
  type BringUpOptions,
  type BringUpStep,
  NEGOTIATIONS_MAX,
  RESET_POLLS_MAX,
} from "../../../runtime/virtio/bring-up.ts";
import { STATUS } from "../../../runtime/virtio/constants.ts";
import { featureSet } from "../../../runtime/virtio/features.ts";
import { openModernPci } from "../../../runtime/virtio/pci/modern.ts";
import { FAKE_ADDRESS, FakeDevice, type FakeDeviceOptions } from "./pci/fake-device.ts";

const STRAIGHT: BringUpStep[] = [
  "reset",
  "await-reset",
  "acknowledge",
  "driver",
  "read-features",
  "decide",
  "write-features",
  "set-features-ok",
  "check-features-ok",
  "check-offer",
  "queues",
  "interrupts",
  "set-up-queues",
  "before-driver-ok",
  "driver-ok",
  "after-driver-ok",
];
const RENEGOTIATION = STRAIGHT.slice(0, STRAIGHT.indexOf("check-offer"));

/** A balloon with STATS_VQ, EVENT_IDX and VERSION_1. */
const WORDS = [(1 << 1) | (1 << 29), 1];
const OFFERED = featureSet(1, 29, 32);

function prepare(device: FakeDeviceOptions = {}, options: Partial<BringUpOptions> = {}) {
  const fake = new FakeDevice({ words: WORDS, ...device });
  const { hal, config } = fake;
  const transport = openModernPci({ hal, config, address: FAKE_ADDRESS, configLength: 8 });
  const steps: BringUpStep[] = [];
  const bringUp = new BringUp({
    transport,
    decide: (offered) => offered,
    queues: () => [queue(0), queue(1)],
    onStep: (step) => steps.push(step),
    ...options,
  });
  return { fake, transport, bringUp, steps };
}

const queue = (index: number) => ({
  index,
  size: 128,
  descriptorArea: 0x1000 * (index + 1),
  driverArea: 0x1800 * (index + 1),
  deviceArea: 0x2000 * (index + 1),
});

/** Advances until the end or `stop`; returns how often it had to wait. */
function drive(bringUp: BringUp, stop?: BringUpStep): number {
  let waits = 0;
  for (let turn = 0; turn < 5000; turn++) {
    const next = bringUp.advance();
    if (next === "wait") waits++;
    if (next === "running" || next === "failed" || next === stop) return waits;
  }
  throw new Error("bring-up does not end");
}

function failure(bringUp: BringUp) {
  if (bringUp.state.name !== "failed") throw new Error(`state ${bringUp.state.name}`);
  return { code: bringUp.state.error.code, during: bringUp.state.during };
}

describe("the straight way", () => {
  it("does every step once, in order", () => {
    const { fake, bringUp, steps } = prepare();
    expect(drive(bringUp)).toBe(0);
    expect(steps).toEqual(STRAIGHT);
    expect(bringUp.state).toEqual({
      name: "running",
      negotiation: { offered: OFFERED, negotiated: OFFERED, refusals: 0 },
    });
    expect(fake.status).toBe(1 | 2 | 4 | 8);
    expect(fake.accepted).toEqual(WORDS);
    expect(fake.queues.map(({ enabled }) => enabled)).toEqual([true, true, false]);
    expect(bringUp.advance()).toBe("running");
    expect(steps).toHaveLength(STRAIGHT.length);
  });

  it("resets before anything else, and writes all feature words even when zero", () => {
    const { fake, bringUp } = prepare({}, { decide: () => 0n });
    drive(bringUp, "queues");
    expect(fake.log[0]).toBe("write 14=0");
    expect(fake.log).toContain("write c=0");
    // VERSION_1 is what the transport itself requires.
    expect(fake.accepted).toEqual([0, 1]);
  });

  it("waits for a slow reset without blocking", () => {
    const { bringUp, steps } = prepare({ resetReads: 5 });
    expect(drive(bringUp)).toBe(5);
    expect(bringUp.state.name).toBe("running");
    expect(steps.filter((step) => step === "await-reset")).toHaveLength(6);
  });

  it("can stop between any two steps", () => {
    const { fake, bringUp } = prepare();
    drive(bringUp, "decide");
    expect(bringUp.state).toEqual({ name: "decide", refusals: 0, offered: OFFERED });
    expect(fake.status).toBe(STATUS.ACKNOWLEDGE | STATUS.DRIVER);
    drive(bringUp);
    expect(bringUp.state.name).toBe("running");
  });

  it("calls back before DRIVER_OK and after it", () => {
    const { fake, transport, bringUp } = prepare(
      {},
      {
        beforeDriverOk: ({ negotiated }) => {
          expect(negotiated).toBe(OFFERED);
          expect(fake.status).toBe(1 | 2 | 8);
          expect(() => transport.notify(0)).toThrow("notification before DRIVER_OK");
        },
        afterDriverOk: () => {
          transport.notify(1);
          transport.writeConfig(BALLOON_CONFIG.actual, 0);
        },
      },
    );
    drive(bringUp);
    expect(bringUp.state.name).toBe("running");
    expect(fake.notified).toEqual([{ offset: 2, value: 1 }]);
    expect(fake.deviceConfig[1]).toBe(0);
  });
});

describe("a refused FEATURES_OK", () => {
  it("resets, reads again, and asks for less", () => {
    const asked: [bigint, number][] = [];
    const { fake, bringUp, steps } = prepare(
      { accepts: ([low]) => low === 1 << 1, resetReads: 1 },
      {
        decide: (offered, refusals) => {
          asked.push([offered, refusals]);
          return refusals === 0 ? offered : offered & ~featureSet(29);
        },
      },
    );
    drive(bringUp);
    expect(asked).toEqual([
      [OFFERED, 0],
      [OFFERED, 1],
    ]);
    expect(bringUp.state).toMatchObject({
      name: "running",
      negotiation: { negotiated: featureSet(1, 32), refusals: 1 },
    });
    const again = (list: BringUpStep[]) => list.filter((step) => step !== "await-reset");
    expect(again(steps)).toEqual(again([...RENEGOTIATION, ...STRAIGHT]));
    expect(fake.status).toBe(15);
  });

  it("fails after the last attempt, and says so to the device", () => {
    const { fake, bringUp, steps } = prepare({ accepts: () => false });
    drive(bringUp);
    expect(failure(bringUp)).toEqual({ code: "features", during: "check-features-ok" });
    expect(steps.filter((step) => step === "decide")).toHaveLength(NEGOTIATIONS_MAX);
    expect(fake.status).toBe(STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FAILED);
    expect(fake.queues.some(({ enabled }) => enabled)).toBe(false);
  });

  it("fails when the ladder has no more rungs", () => {
    const { bringUp } = prepare(
      { accepts: () => false },
      { decide: (offered, refusals) => (refusals === 0 ? offered : undefined) },
    );
    drive(bringUp);
    expect(failure(bringUp)).toEqual({ code: "features", during: "decide" });
  });
});

describe("another host behind the same device", () => {
  const LESS = [1 << 1, 1];

  it.each([
    ["before the features are written", "write-features", true],
    ["before they are written, and it takes whatever it is given", "write-features", false],
    ["while they are written, and it takes whatever it is given", "set-features-ok", false],
  ] as const)("%s: the driver begins anew with what there is", (_when, step, refuses) => {
    const words = [...WORDS];
    const asked: [bigint, number][] = [];
    const lost: bigint[] = [];
    const { fake, bringUp } = prepare(
      { words, accepts: ([low]) => !refuses || low === words[0] },
      {
        onRefused: (_refused, bits) => lost.push(bits),
        decide: (offered, refusals) => {
          asked.push([offered, refusals]);
          return offered;
        },
      },
    );
    drive(bringUp, step);
    words.splice(0, 2, ...LESS);
    drive(bringUp);
    expect(bringUp.state).toMatchObject({
      name: "running",
      negotiation: { offered: featureSet(1, 32), negotiated: featureSet(1, 32), refusals: 1 },
    });
    expect(lost).toEqual([refuses ? 0n : featureSet(29)]);
    // This host has refused nothing yet, so it is asked for all.
    expect(asked).toEqual([
      [OFFERED, 0],
      [featureSet(1, 32), 0],
    ]);
    expect(fake.accepted).toEqual(LESS);
  });

  it("that offers more is not asked for any of it", () => {
    const words = [...LESS];
    const { fake, bringUp } = prepare({ words });
    drive(bringUp, "set-features-ok");
    words.splice(0, 2, ...WORDS);
    drive(bringUp);
    expect(bringUp.state).toMatchObject({ negotiation: { refusals: 0 } });
    expect(fake.accepted).toEqual(LESS);
  });
});

describe("failures", () => {
  it("a reset that never ends, and nothing is written to the device any more", () => {
    const { fake, bringUp } = prepare({ resetReads: 1e9 });
    expect(drive(bringUp)).toBe(RESET_POLLS_MAX - 1);
    expect(failure(bringUp)).toEqual({ code: "reset-timeout", during: "await-reset" });
    expect(fake.log.filter((line) => line.startsWith("write"))).toEqual(["write 14=0"]);
  });

  it.each([
    "reset",
    "acknowledge",
    "driver",
    "set-features-ok",
    "check-features-ok",
    "driver-ok",
  ] as const)("a device that goes away before %s", (step) => {
    const { fake, bringUp } = prepare();
    if (step !== "reset") drive(bringUp, step);
    fake.gone = true;
    drive(bringUp);
    expect(failure(bringUp).code).toBe("device-gone");
  });

  it("a device that asks for a reset instead of running", () => {
    let told = 0;
    const { fake, bringUp } = prepare(
      { breaksAtDriverOk: true },
      {
        afterDriverOk: () => {
          told++;
        },
      },
    );
    drive(bringUp);
    expect(failure(bringUp)).toEqual({ code: "device-failed", during: "driver-ok" });
    expect(fake.status).toBe(1 | 2 | 4 | 8 | 64 | 128);
    expect(told).toBe(0);
  });

  it("a device without what the transport requires", () => {
    const { bringUp } = prepare({ words: [2, 0] });
    drive(bringUp);
    expect(failure(bringUp)).toEqual({ code: "features", during: "decide" });
  });

  it("a driver that wants what is not offered", () => {
    const { fake, bringUp } = prepare({}, { decide: (offered) => offered | featureSet(0) });
    drive(bringUp);
    expect(failure(bringUp)).toEqual({ code: "config", during: "decide" });
    expect(fake.accepted).toEqual([0, 0]);
  });

  it("a split queue whose size is no power of two", () => {
    const { bringUp } = prepare({}, { queues: () => [{ ...queue(0), size: 100 }] });
    drive(bringUp);
    expect(failure(bringUp)).toEqual({ code: "queue", during: "set-up-queues" });
  });

  it("an error of a callback: ours is a state, a bug is thrown on", () => {
    const ours = new BallonetError({
      code: "config",
      what: "mode",
      seen: "silent",
      todo: "ask less",
    });
    const { fake, bringUp } = prepare(
      {},
      {
        beforeDriverOk: () => {
          throw ours;
        },
      },
    );
    drive(bringUp);
    expect(bringUp.state).toEqual({ name: "failed", during: "before-driver-ok", error: ours });
    expect(fake.status & STATUS.FAILED).toBe(STATUS.FAILED);
    expect(fake.status & STATUS.DRIVER_OK).toBe(0);

    const bug = prepare(
      {},
      {
        queues: () => {
          throw new TypeError("a bug");
        },
      },
    );
    expect(() => drive(bug.bringUp)).toThrow(TypeError);
  });
});
