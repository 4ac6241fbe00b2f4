/**
 * What the host finds out about its pages, mode by mode.
 *
 * What the specification allows without MUST_TELL_HOST is never a verdict.
 */
import { describe, expect, it } from "vitest";
import { broken, FIRST_FRAME, frames, type RawDriver, rig } from "../drivers/raw-driver.ts";

const LATE = { kind: "late", ms: 5 } as const;

const touch = (driver: RawDriver, frame: number): void => {
  driver.view.setUint8(frame * 4096 + 4095, 1 + driver.view.getUint8(frame * 4096 + 4095));
};

/** Ten pages in the balloon, and a target of 5. */
const withTen = (options: Parameters<typeof rig>[0]): RawDriver => {
  const driver = rig(options).bringUp();
  driver.machine.setTarget(10);
  driver.readTarget();
  driver.interrupt();
  driver.move("inflate", frames(10));
  driver.machine.setTarget(5);
  driver.readTarget();
  driver.interrupt();
  return driver;
};

describe("a page that the host holds", () => {
  it("is filled with a canary, different from page to page", () => {
    const driver = withTen({});
    const words = frames(10).map((frame) => driver.view.getUint32(frame * 4096, true));
    expect(new Set(words).size).toBe(10);
    expect(words).not.toContain(0);
  });

  it("is left alone when the canary is off", () => {
    const driver = withTen({ canary: false });
    expect(driver.view.getUint32(FIRST_FRAME * 4096, true)).toBe(0);
    touch(driver, FIRST_FRAME);
    driver.move("deflate", frames(5));
    expect(driver.machine.check()).toEqual([]);
  });

  it("is outside of memory when the guest has more frames than the memory holds", () => {
    const driver = rig({ frames: 2 ** 28 }).bringUp();
    driver.machine.setTarget(2);
    driver.readTarget();
    driver.interrupt();
    driver.move("inflate", [2 ** 27, 2 ** 28 - 1]);
    expect(driver.machine.heldPages).toBe(2);
    expect(driver.machine.check()).toEqual([]);
  });

  it("is the guest's again after a reset", () => {
    const driver = withTen({});
    driver.reset();
    expect(driver.machine.heldPages).toBe(0);
    touch(driver, FIRST_FRAME);
    expect(driver.machine.check()).toEqual([]);
  });
});

describe("with MUST_TELL_HOST", () => {
  it("a touch is found by an audit, once, with the address", () => {
    const driver = withTen({});
    touch(driver, FIRST_FRAME + 7);
    driver.machine.audit();
    driver.machine.audit();
    expect(broken(driver.machine)).toEqual(["D10"]);
    expect(driver.machine.broken("D10")).toBe(1);
    expect(driver.machine.verdicts[0]?.seen).toContain("0x107ffc");
  });

  it("a touch between telling and acknowledgement is found", () => {
    const driver = withTen({ completion: { deflate: LATE } });
    driver.post(1, frames(5));
    driver.kick(1);
    touch(driver, FIRST_FRAME);
    driver.machine.run();
    driver.collect(1);
    expect(broken(driver.machine)).toEqual(["D10"]);
  });

  it("a touch after the acknowledgement is allowed", () => {
    const driver = withTen({});
    driver.move("deflate", frames(5));
    driver.interrupt();
    touch(driver, FIRST_FRAME);
    expect(driver.machine.check()).toEqual([]);
  });
});

describe("without MUST_TELL_HOST", () => {
  const options = { offer: { mustTellHost: false }, completion: { deflate: LATE } } as const;

  it("a page may be used first and told later", () => {
    const driver = withTen(options);
    for (const frame of frames(5)) touch(driver, frame);
    driver.machine.audit();
    driver.post(1, frames(5));
    driver.kick(1);
    driver.machine.run();
    driver.interrupt();
    driver.collect(1);
    driver.writeActual(5);
    expect(driver.machine.check()).toEqual([]);
  });

  it("a page that is used and never told about is found at a check", () => {
    const driver = withTen(options);
    touch(driver, FIRST_FRAME);
    driver.machine.check();
    expect(broken(driver.machine)).toEqual(["D9"]);
  });

  it("a touch before the inflate is acknowledged is a breach all the same", () => {
    const driver = rig({ ...options, completion: LATE }).bringUp();
    driver.post(0, frames(1));
    driver.kick(0);
    touch(driver, FIRST_FRAME);
    driver.machine.audit();
    expect(broken(driver.machine)).toEqual(["D12"]);
  });
});

describe("the target", () => {
  it("may be undercut with DEFLATE_ON_OOM, and may be one that the driver has not seen", () => {
    const driver = withTen({ offer: { deflateOnOom: true } });
    driver.move("deflate", frames(8));
    driver.interrupt();
    driver.machine.check({ memoryShort: true });
    expect(broken(driver.machine)).toEqual([]);
    const unaware = withTen({ offer: { deflateOnOom: false } });
    unaware.machine.setTarget(10);
    unaware.move("deflate", frames(5));
    unaware.interrupt();
    unaware.machine.check({ memoryShort: true });
    expect(broken(unaware.machine)).toEqual([]);
  });
});

describe("actual", () => {
  it("may lag behind acknowledgements that the driver has not looked at yet", () => {
    const driver = rig().bringUp();
    driver.machine.setTarget(4);
    driver.readTarget();
    driver.post(0, frames(2));
    driver.kick(0);
    driver.post(0, frames(2, FIRST_FRAME + 2), 1);
    driver.kick(0);
    driver.writeActual(2);
    driver.interrupt();
    driver.collect(0);
    expect(driver.machine.verdicts).toEqual([]);
    driver.machine.check();
    expect(broken(driver.machine)).toEqual(["D14"]);
  });
});
