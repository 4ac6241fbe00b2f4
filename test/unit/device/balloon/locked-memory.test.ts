/**
 * The host's memory behind the balloon, design by design: what is unlocked, what a touch is, and
 * what it costs.
 *
 * A page is unlocked only by a host whose design allows it, and locked again only by an answered
 * deflate or a reset.
 */
import { describe, expect, it } from "vitest";
import {
  createMachine,
  type HostDesignName,
  hostDesigns,
  type MachineOptionError,
} from "../../../../src/device/index.ts";
import { broken, FIRST_FRAME, FRAMES, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";

const MUST_TELL_HOST = 0;
const WILL_TELL_HOST = 22;
const SILENT_DEFLATE = 23;
const LATE = { kind: "late", ms: 5 } as const;
const NAMES = Object.keys(hostDesigns) as HostDesignName[];

const touch = (driver: RawDriver, frame: number): void => {
  driver.view.setUint8(frame * 4096 + 8, 1 + driver.view.getUint8(frame * 4096 + 8));
};

interface Start {
  readonly leaveOut?: readonly number[];
  /** Bits that it accepts besides those that it knows. */
  readonly also?: readonly number[];
}

/** Ten pages in the balloon, the target at 5. Deflates are answered 5 ms late. */
function withTen(hostDesign: HostDesignName, { leaveOut = [], also = [] }: Start = {}): RawDriver {
  const driver = rig({ hostDesign, completion: { deflate: LATE }, waive: ["D1"] });
  for (const bit of also) driver.knows |= 1n << BigInt(bit);
  driver.bringUp(leaveOut);
  driver.machine.setTarget(10);
  driver.readTarget();
  driver.interrupt();
  driver.move("inflate", frames(10));
  driver.machine.setTarget(5);
  driver.readTarget();
  driver.interrupt();
  return driver;
}

/** Five pages on the deflate queue, taken and not answered. */
function askBack(driver: RawDriver): void {
  driver.post(1, frames(5));
  driver.kick(1);
}

const without = { leaveOut: [MUST_TELL_HOST] };

describe("what is unlocked at ten inflated pages", () => {
  it.each<[HostDesignName, Start, number]>([
    ["plain", {}, 0],
    ["plain", without, 0],
    ["locked", {}, 10],
    ["locked", without, 0],
    ["locked-always", {}, 10],
    ["locked-always", without, 10],
    ["refusing", {}, 10],
    ["two-bit", {}, 0],
    ["two-bit", { also: [WILL_TELL_HOST] }, 10],
    ["two-bit", { also: [SILENT_DEFLATE] }, 0],
  ])("%s, %j: %i", (design, start, unlocked) => {
    const { machine } = withTen(design, start);
    expect(machine.memory.unlocked).toBe(unlocked);
    expect(machine.memory.locked).toBe(design === "plain" ? 0 : FRAMES - unlocked);
    expect(machine.memory.mayUnlock).toBe(unlocked > 0);
  });

  it("falls with answered deflates, and to nothing at a reset", () => {
    const driver = withTen("locked");
    askBack(driver);
    expect(driver.machine.memory.unlocked).toBe(10);
    driver.machine.run();
    expect(driver.machine.memory.unlocked).toBe(5);
    driver.reset();
    expect(driver.machine.memory.unlocked).toBe(0);
    expect(driver.machine.memory.locked).toBe(FRAMES);
  });
});

describe("a touch of a page of the host's", () => {
  it("of an unlocked one is a fault, with page, place, state and trace", () => {
    const driver = withTen("locked-always", without);
    touch(driver, FIRST_FRAME + 3);
    driver.machine.audit();
    driver.machine.audit();
    const [found, ...more] = driver.machine.memory.touches;
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      pfn: FIRST_FRAME + 3,
      at: 8,
      state: "held",
      unlocked: true,
      lost: false,
    });
    const entry = driver.machine.trace.at(found?.entry ?? 0);
    expect(entry).toMatchObject({ kind: "touch", fields: { pfn: FIRST_FRAME + 3, state: "held" } });
    // The driver never promised to tell first: the host is at fault, not the guest.
    expect(broken(driver.machine)).toEqual([]);
  });

  it("of a locked one is none", () => {
    const driver = withTen("locked", without);
    touch(driver, FIRST_FRAME + 3);
    driver.machine.audit();
    expect(driver.machine.memory.touches).toMatchObject([{ unlocked: false, lost: false }]);
    expect(broken(driver.machine)).toEqual([]);
  });

  it("before the deflate is answered shows how far it was", () => {
    const driver = withTen("locked-always", without);
    askBack(driver);
    touch(driver, FIRST_FRAME);
    driver.machine.run();
    expect(driver.machine.memory.touches).toMatchObject([{ state: "deflating", unlocked: true }]);
    touch(driver, FIRST_FRAME + 1);
    driver.machine.audit();
    expect(driver.machine.memory.counted).toMatchObject({ touched: 1, untold: 0, unanswered: 1 });
  });
});

describe("a host that is short of memory", () => {
  it("takes unlocked pages away, and with them what the guest wrote there", () => {
    const driver = withTen("locked-always", without);
    touch(driver, FIRST_FRAME + 3);
    touch(driver, FIRST_FRAME + 4);
    driver.machine.audit();
    const before = driver.view.getUint32((FIRST_FRAME + 3) * 4096 + 8, true);
    touch(driver, FIRST_FRAME + 5);
    expect(driver.machine.reclaim()).toBe(10);
    expect(driver.view.getUint32((FIRST_FRAME + 3) * 4096 + 8, true)).not.toBe(before);
    expect(driver.machine.memory.counted).toMatchObject({ touched: 3, unlocked: 3, lost: 3 });
    expect(driver.machine.memory.touches.every(({ lost }) => lost)).toBe(true);
    driver.machine.audit();
    expect(driver.machine.memory.counted.touched).toBe(3);
    // The same page again is another touch.
    touch(driver, FIRST_FRAME + 3);
    driver.machine.audit();
    expect(driver.machine.memory.counted).toMatchObject({ touched: 4, untold: 4, lost: 3 });
  });

  it.each<HostDesignName>(["plain", "locked"])("%s has nothing to take", (design) => {
    const driver = withTen(design, without);
    touch(driver, FIRST_FRAME + 3);
    expect(driver.machine.reclaim()).toBe(0);
    expect(driver.machine.memory.counted.lost).toBe(0);
  });
});

describe("the timeline", () => {
  it("has the counts of every change, in order of time", () => {
    const driver = withTen("locked");
    askBack(driver);
    driver.machine.run();
    const { timeline } = driver.machine.memory;
    const seen = timeline.map(({ held, deflating, locked }) => [held, deflating, locked]);
    expect(seen).toEqual([
      [0, 0, FRAMES],
      [10, 0, FRAMES - 10],
      [5, 5, FRAMES - 10],
      [5, 0, FRAMES - 5],
    ]);
    expect(timeline.every((point, n) => point.ms >= (timeline[n - 1]?.ms ?? 0))).toBe(true);
  });
});

describe("refusing", () => {
  it("does not let FEATURES_OK stand without MUST_TELL_HOST", () => {
    const driver = rig({ hostDesign: "refusing", waive: ["D1"] });
    driver.discover();
    driver.reset();
    expect(driver.negotiate([MUST_TELL_HOST])).toBe(3);
    driver.reset();
    expect(driver.negotiate()).toBe(11);
  });
});

describe("two-bit", () => {
  it("offers its bits in place of MUST_TELL_HOST, and nobody else does", () => {
    for (const hostDesign of NAMES) {
      const driver = rig({ hostDesign });
      driver.discover();
      const offer = Number(driver.readOffer() & 0xffff_ffffn);
      const theirs = (1 << WILL_TELL_HOST) | (1 << SILENT_DEFLATE);
      expect(offer & theirs).toBe(hostDesign === "two-bit" ? theirs : 0);
      expect(offer & 1).toBe(hostDesign === "two-bit" ? 0 : 1);
    }
  });

  it("lets a driver that accepted SILENT_DEFLATE use pages and never say so", () => {
    const driver = withTen("two-bit", { also: [SILENT_DEFLATE] });
    for (const frame of frames(5)) touch(driver, frame);
    driver.writeActual(5);
    driver.machine.check();
    expect(broken(driver.machine)).toEqual([]);
    // And give them again, though they never came back.
    driver.machine.setTarget(10);
    driver.readTarget();
    driver.interrupt();
    driver.move("inflate", frames(5));
    driver.machine.check();
    expect(broken(driver.machine)).toEqual([]);
    expect(driver.machine.heldPages).toBe(10);
  });

  it("does not let one that accepted neither", () => {
    const driver = withTen("two-bit");
    for (const frame of frames(5)) touch(driver, frame);
    driver.writeActual(5);
    driver.machine.check();
    expect(broken(driver.machine)).toContain("D9");
  });
});

it("a design that nobody knows is refused", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const make = () => createMachine({ memory, hostDesign: "glued" as HostDesignName });
  expect(make).toThrow(
    expect.objectContaining<Partial<MachineOptionError>>({
      code: "machine-option",
      message: expect.stringContaining("glued"),
    }),
  );
});
