/**
 * Free page hinting, page poison, free page reporting and the numbering of their queues.
 *
 * A driver that keeps to the rules leaves no verdict.
 */
import { describe, expect, it } from "vitest";
import { type MachineOptions, type ProfileName, profiles } from "../../../../src/device/index.ts";
import { broken, FIRST_FRAME, frames, POISON, type RawDriver, rig } from "../drivers/raw-driver.ts";

const HINT = 3;
const REPORT = 4;

const offered = (bits: readonly number[]) => ({
  statsVq: bits.includes(1),
  freePageHint: bits.includes(3),
  pagePoison: bits.includes(4),
  pageReporting: bits.includes(5),
});

const up = (bits: readonly number[], options: Partial<MachineOptions> = {}): RawDriver =>
  rig({ offer: { ...offered(bits) }, ...options })
    .accepts(bits)
    .bringUp();

/** One word of a page. */
const word = (driver: RawDriver, frame: number): number =>
  driver.view.getUint32(frame * 4096 + 8, true);

const sizes = (driver: RawDriver): number[] =>
  Array.from({ length: driver.get("numQueues") }, (_, n) => {
    driver.set("queueSelect", n);
    return driver.get("queueSize");
  });

describe("the number of queues and which are there", () => {
  const all = 128;
  it.each([
    [[1], "fixed", [all, all, all]],
    [[1, 3], "fixed", [all, all, all, all]],
    [[1, 5], "fixed", [all, all, all, 0, all]],
    [[5], "fixed", [all, all, 0, 0, all]],
    [[3, 5], "fixed", [all, all, 0, all, all]],
    [[1, 3, 5], "fixed", [all, all, all, all, all]],
    [[1], "compact-offered", [all, all, all]],
    [[1, 5], "compact-offered", [all, all, all, all]],
    [[5], "compact-offered", [all, all, all]],
    [[3, 5], "compact-negotiated", [all, all, all, all]],
    [[1, 3, 5], "compact-negotiated", [all, all, all, all, all]],
  ] as const)("offered %j, %s: %j", (bits, queueNumbering, expected) => {
    expect(sizes(up(bits, { queueNumbering }))).toEqual(expected);
  });

  it("and where reporting is, with and without the statistics accepted", () => {
    const index = (queueNumbering: "fixed" | "compact-offered" | "compact-negotiated"): number => {
      const offer = { statsVq: true, pageReporting: true };
      const driver = rig({ queueNumbering, offer, waive: ["G-QUEUE-FEATURE"] });
      driver.accepts([5]).bringUp([1]);
      for (const n of [2, 3, 4]) {
        if (driver.rings[n] === undefined) continue;
        driver.lend(n, [[FIRST_FRAME + n * 8, 2]]);
        if (driver.machine.reportedPages.pages > 0) return n;
      }
      return -1;
    };
    expect(index("fixed")).toBe(4);
    expect(index("compact-offered")).toBe(3);
    expect(index("compact-negotiated")).toBe(2);
  });

  it("strange queues stand behind them and are never another one's", () => {
    const offer = { statsVq: true, pageReporting: true, extra: [8] };
    for (const [queueNumbering, expected] of [
      ["fixed", [128, 128, 128, 0, 128, 128, 128]],
      ["compact-offered", [128, 128, 128, 128, 128, 128]],
    ] as const) {
      expect(sizes(rig({ queueNumbering, offer, strangeQueues: 2 }).bringUp())).toEqual(expected);
    }
  });

  it("a queue that is left over by what was accepted is not there", () => {
    const offer = { statsVq: true, freePageHint: true, pageReporting: true };
    const driver = rig({ queueNumbering: "compact-negotiated", offer }).accepts([3, 5]);
    driver.discover();
    driver.reset();
    driver.negotiate([1]);
    expect(sizes(driver)).toEqual([128, 128, 128, 128, 0]);
    driver.reset();
    expect(sizes(driver)).toEqual([128, 128, 128, 128, 128]);
  });
});

describe("the length of the configuration", () => {
  it.each([
    ["strict", [1], 8],
    ["strict", [1, 5], 8],
    ["strict", [1, 3], 12],
    ["strict", [1, 4], 16],
    ["qemu", [1, 3], 12],
    ["qemu", [1, 3, 4, 5], 16],
    ["cloud-hypervisor", [5], 8],
    ["firecracker", [3, 5], 12],
    ["crosvm", [1, 5], 20],
  ] as const)("%s, offered %j: %i bytes", (profile, bits, bytes) => {
    const driver = up(bits, { profile, waive: ["G-CONFIG-FEATURE"] });
    expect(driver.read(4, bytes - 4, 4)).not.toBe(0xffffffff);
    expect(driver.machine.verdicts).toEqual([]);
    driver.read(4, bytes, 4);
    expect(driver.machine.verdicts.length).toBe(1);
  });
});

describe("a run of hints", () => {
  it("goes by the book: id, ranges, STOP, DONE", () => {
    const driver = up([1, 3]);
    const before = word(driver, FIRST_FRAME);
    expect(driver.machine.startHinting()).toBe(2);
    expect(driver.interrupt()).toBe(2);
    driver.command(HINT, driver.readHintId());
    driver.lend(HINT, [[FIRST_FRAME, 256]]);
    driver.lend(HINT, [[600, 4]], 1);
    driver.command(HINT, 0);
    expect(driver.machine.hintedPages).toBe(260);
    expect(word(driver, FIRST_FRAME)).not.toBe(before);
    expect(driver.machine.hinting).toEqual({ id: 2, pages: 260, ranges: 2, starts: 1, stops: 1 });
    driver.machine.finishHinting();
    expect(driver.readHintId()).toBe(1);
    expect(driver.machine.hintedPages).toBe(0);
    driver.interrupt();
    driver.view.setUint32(FIRST_FRAME * 4096, 1, true);
    expect(driver.machine.check()).toEqual([]);
  });

  it("pauses, keeps the pages, and goes on with the next id", () => {
    const driver = up([1, 3]);
    driver.machine.startHinting();
    driver.command(HINT, driver.readHintId());
    driver.lend(HINT, [[FIRST_FRAME, 4]]);
    driver.machine.stopHinting();
    driver.lend(HINT, [[FIRST_FRAME + 4, 4]]);
    expect(driver.machine.hintedPages).toBe(4);
    expect(driver.readHintId()).toBe(0);
    expect(driver.machine.startHinting()).toBe(3);
    driver.command(HINT, driver.readHintId());
    driver.lend(HINT, [[FIRST_FRAME + 8, 4]]);
    driver.command(HINT, 0);
    expect(driver.machine.hintedPages).toBe(8);
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
  });

  it("a driver that has not read the new id yet breaks no rule, and its pages are ignored", () => {
    const driver = up([1, 3]);
    driver.machine.startHinting();
    driver.readHintId();
    driver.machine.finishHinting();
    driver.command(HINT, 2);
    driver.lend(HINT, [[FIRST_FRAME, 4]]);
    expect(driver.machine.hintedPages).toBe(0);
    expect(word(driver, FIRST_FRAME)).toBe(0);
    expect(driver.machine.verdicts).toEqual([]);
  });

  it("a page that is filled before it is used again, and one that is inflated, are no breach", () => {
    const driver = up([1, 3]);
    driver.machine.startHinting();
    driver.command(HINT, driver.readHintId());
    driver.lend(HINT, [[FIRST_FRAME, 4]]);
    driver.command(HINT, 0);
    new Uint8Array(driver.memory.buffer, FIRST_FRAME * 4096, 4096).fill(7);
    driver.machine.setTarget(1);
    driver.readTarget();
    driver.interrupt();
    driver.move("inflate", [FIRST_FRAME + 1]);
    driver.machine.audit();
    expect(driver.machine.hintedPages).toBe(2);
    driver.machine.finishHinting();
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
  });

  it("has the ids of the profile, and none where hints are not served", () => {
    const ids = (profile: ProfileName): (number | undefined)[] => {
      const hints = profile === "qemu" || profile === "firecracker";
      const driver = rig({ profile, ...(hints ? { offer: { freePageHint: true } } : {}) });
      driver.accepts([3]).bringUp();
      return [1, 2].map(() => driver.machine.startHinting());
    };
    expect(ids("qemu")).toEqual([0x80000000, 0x80000001]);
    expect(ids("firecracker")).toEqual([2, 3]);
    expect(ids("v86")).toEqual([2, 2]);
    expect(ids("libkrun")).toEqual([undefined, undefined]);
    expect(ids("crosvm")).toEqual([undefined, undefined]);
  });

  it("QEMU: the id is shown until it is begun, and 0 then is no pause; a pause is one", () => {
    const driver = up([1, 3], { profile: "qemu" });
    for (const id of [0x80000000, 0x80000001]) {
      expect(driver.machine.startHinting()).toBe(id);
      expect(driver.readHintId()).toBe(id);
      driver.command(HINT, id);
      expect(driver.readHintId()).toBe(0);
      driver.lend(HINT, [[FIRST_FRAME, 8]]);
      expect(driver.machine.hintedPages).toBe(8);
      driver.command(HINT, 0);
      expect(driver.readHintId()).toBe(0);
      driver.machine.finishHinting();
      expect(driver.readHintId()).toBe(1);
    }
    expect(driver.machine.check()).toEqual([]);
    driver.command(HINT, driver.machine.startHinting() ?? 0);
    driver.machine.stopHinting();
    expect(driver.readHintId()).toBe(0);
    driver.lend(HINT, [[FIRST_FRAME, 8]]);
    expect(broken(driver.machine)).toContain("D22-STOP");
  });

  it("v86: zeros at once whatever the id, DONE at STOP, the same id again", () => {
    const driver = rig({ profile: "v86", waive: ["D21-START"] })
      .accepts([3])
      .bringUp();
    driver.view.setUint32(FIRST_FRAME * 4096 + 8, 99, true);
    driver.lend(HINT, [[FIRST_FRAME, 1]]);
    expect(word(driver, FIRST_FRAME)).toBe(0);
    for (let run = 0; run < 2; run += 1) {
      expect(driver.machine.startHinting()).toBe(2);
      driver.command(HINT, driver.readHintId());
      driver.lend(HINT, [[FIRST_FRAME, 8]]);
      expect(driver.machine.hintedPages).toBe(8);
      driver.command(HINT, 0);
      expect(driver.readHintId()).toBe(1);
      expect(driver.machine.hintedPages).toBe(0);
    }
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
  });

  it("ends with a reset", () => {
    const driver = up([1, 3]);
    driver.machine.startHinting();
    driver.command(HINT, driver.readHintId());
    driver.lend(HINT, [[FIRST_FRAME, 8]]);
    driver.set("status", 0);
    expect([driver.machine.hintedPages, driver.machine.hinting.id]).toEqual([0, 0]);
  });
});

describe("a report", () => {
  it("overwrites pages with a canary before it is returned, and counts", () => {
    const driver = up([1, 5], { completion: { reporting: { kind: "late", ms: 1 } } });
    driver.lend(REPORT, [
      [FIRST_FRAME, 512],
      [900, 4],
    ]);
    expect(word(driver, FIRST_FRAME)).not.toBe(0);
    expect(driver.machine.reportedPages).toEqual({
      pages: 516,
      ranges: 2,
      buffers: 1,
      inFlight: 516,
    });
    driver.machine.run();
    expect(driver.collect(REPORT)).toEqual([0]);
    expect(driver.machine.reportedPages.inFlight).toBe(0);
    driver.view.setUint32(FIRST_FRAME * 4096, 5, true);
    driver.interrupt();
    expect(driver.machine.check()).toEqual([]);
  });

  it.each(["inflated", "hinted"])("a page of it that is %s", (how) => {
    const driver = up([1, 3, 5], { completion: { reporting: { kind: "late", ms: 1 } } });
    driver.machine.setTarget(1);
    driver.readTarget();
    driver.machine.startHinting();
    driver.command(HINT, driver.readHintId());
    driver.lend(REPORT, [[FIRST_FRAME, 4]]);
    if (how === "inflated") driver.move("inflate", [FIRST_FRAME]);
    else driver.lend(HINT, [[FIRST_FRAME, 1]]);
    expect(broken(driver.machine)).toEqual(["D27"]);
  });

  it("leaves poison_val where it was", () => {
    const driver = up([1, 4, 5]);
    new Uint32Array(driver.memory.buffer, FIRST_FRAME * 4096, 1024).fill(POISON);
    driver.lend(REPORT, [[FIRST_FRAME, 1]]);
    expect(word(driver, FIRST_FRAME)).toBe(POISON);
    expect(driver.machine.poisonValue).toBe(POISON);
    expect(driver.machine.check()).toEqual([]);
  });

  it("may name pages beyond the memory that exists, as long as the guest has them", () => {
    const driver = up([1, 5], { frames: 1 << 20 });
    driver.lend(REPORT, [[1 << 19, 512]]);
    expect(driver.machine.reportedPages.pages).toBe(512);
    expect(driver.machine.check()).toEqual([]);
  });
});

describe("page poison", () => {
  it("is kept by a driver that fills what comes back", () => {
    const driver = up([1, 4]);
    driver.machine.setTarget(4);
    driver.readTarget();
    driver.move("inflate", frames(4));
    driver.machine.setTarget(0);
    driver.readTarget();
    driver.interrupt();
    driver.move("deflate", frames(4));
    new Uint32Array(driver.memory.buffer, FIRST_FRAME * 4096, 4096).fill(POISON);
    expect(driver.machine.check()).toEqual([]);
  });

  it("poison_val is not written without the feature", () => {
    const driver = rig({ offer: { pagePoison: true } }).bringUp();
    driver.write(4, 12, 4, 5);
    expect(broken(driver.machine)).toEqual(["Q-READ-ONLY"]);
    expect(driver.machine.poisonValue).toBe(0);
  });
});

describe("every profile", () => {
  it.each(Object.keys(profiles) as ProfileName[])("%s offers what it is told to", (profile) => {
    const offer = { statsVq: true, freePageHint: true, pagePoison: true, pageReporting: true };
    const driver = rig({ profile, offer }).accepts([3, 5]).bringUp();
    expect(driver.rings.length).toBe(5);
    driver.lend(REPORT, [[FIRST_FRAME, 4]]);
    expect(driver.machine.verdicts).toEqual([]);
    expect(driver.machine.reportedPages.pages).toBe(4);
  });
});
