/** How a driver ended, and its verdicts folded. */
import { describe, expect, it } from "vitest";
import { createMachine, formatFolded, rules } from "../../../../src/device/index.ts";
import { type Breach, ready } from "../breaches/breach.ts";
import { freePageBreaches } from "../breaches/free-pages.ts";
import { mmioRig } from "../drivers/mmio-driver.ts";
import { FIRST_FRAME, frames, rig } from "../drivers/raw-driver.ts";

const NO_DECOYS = { profile: "qemu" } as const;

describe("the outcome", () => {
  it("is `never came` before any driver, and `up` with DRIVER_OK", () => {
    const driver = rig();
    expect(driver.machine.outcome).toMatchObject({ end: "never came", steps: [] });
    driver.bringUp();
    expect(driver.machine.outcome).toEqual({ end: "up", why: "device_status is 15", steps: [] });
  });

  it("is `gave up` with FAILED, and says what was read before, also after the reset", () => {
    const driver = rig({ offer: { pageReporting: true } });
    driver.discover();
    driver.reset();
    driver.negotiate();
    driver.set("queueSelect", 3);
    expect(driver.get("queueSize")).toBe(0);
    driver.set("status", 11 + 128);
    const why = "it set FAILED (device_status 139), after it read queue_size 0 of queue 3";
    expect(driver.machine.outcome).toMatchObject({ end: "gave up", why });
    const { steps } = driver.machine.outcome;
    expect(steps.at(-1)).toMatch(/common write device_status width=1 value=0x8b$/);
    expect(steps.at(-2)).toMatch(/common read queue_size width=2 value=0$/);
    driver.reset();
    expect(driver.machine.outcome).toMatchObject({ end: "gave up", why, steps });
    driver.bringUp();
    expect(driver.machine.outcome.end).toBe("up");
  });

  it("is `gave up` when it stops before DRIVER_OK", () => {
    const driver = rig();
    driver.discover();
    driver.reset();
    driver.negotiate();
    expect(driver.machine.outcome).toMatchObject({
      end: "gave up",
      why: expect.stringContaining("it stops at device_status 11"),
    });
  });

  it("is `lost` when a reset is asked for and does not come, or the device goes", () => {
    const driver = rig().bringUp();
    driver.machine.inject({ name: "needs-reset" });
    expect(driver.machine.outcome).toMatchObject({
      end: "lost",
      why: "the device asks for a reset and has none",
    });
    driver.bringUp();
    expect(driver.machine.outcome.end).toBe("up");
    driver.machine.unplug();
    expect(driver.machine.outcome).toMatchObject({ end: "lost", why: "the device was taken out" });
    driver.machine.plug();
    expect(driver.machine.outcome.end).toBe("never came");
  });

  it("is `hung` when it reads no configuration for a second after a change", () => {
    const driver = rig().bringUp();
    driver.machine.setTarget(5);
    driver.machine.advance(999);
    expect(driver.machine.outcome.end).toBe("up");
    driver.machine.advance(2);
    expect(driver.machine.outcome.end).toBe("hung");
    driver.interrupt();
    driver.readTarget();
    expect(driver.machine.outcome.end).toBe("up");
  });

  it("is `left` when it was up and reset the device, and `never came` after a reboot", () => {
    const driver = rig().bringUp();
    driver.set("status", 0);
    expect(driver.machine.outcome).toMatchObject({
      end: "left",
      why: "it was up, and reset the device",
    });
    driver.machine.reset();
    expect(driver.machine.outcome.end).toBe("never came");
  });
});

describe("the summary", () => {
  const silent = (pages: readonly number[]) => {
    const driver = rig({ offer: { mustTellHost: false }, traceLimit: 20_000 }).bringUp();
    for (const pfn of pages) driver.move("inflate", [pfn]);
    driver.writeActual(pages.length);
    for (const pfn of pages) driver.view.setUint32(pfn * 4096, 7, true);
    driver.machine.check();
    return driver.machine;
  };

  it("folds the breaches of a rule into one, with the pages as ranges", () => {
    const machine = silent([...frames(500), FIRST_FRAME + 600, FIRST_FRAME + 602]);
    const folded = machine.summary().find(({ rule }) => rule === "D9");
    expect(folded).toMatchObject({
      count: 502,
      pages: { count: 502, ranges: "256 to 755, 856, 858" },
      seen: "page 256 is used, held, and was never told about",
    });
    expect(folded && formatFolded(folded)).toBe(
      "D9: 502 pages, 256 to 755, 856, 858 (MUST, 5.5.6.1)",
    );
    expect(machine.broken("D9")).toBe(502);
    expect(machine.verdicts.filter(({ rule }) => rule === "D9")).toHaveLength(16);
  });

  it("shows the request that gave this very page, and no other verdict or page", () => {
    const machine = silent(frames(20));
    const d9 = machine.verdicts.filter(({ rule }) => rule === "D9");
    for (const [index, { lines }] of d9.entries()) {
      const taken = machine.trace.entries().filter(({ what }) => /^inflate.* take$/.test(what));
      expect(lines.some((line) => line.startsWith(`#${taken[index]?.n} `))).toBe(true);
      expect(lines.filter((line) => line.includes(" verdict "))).toEqual([]);
      const touched = lines.filter((line) => line.includes(" touch "));
      expect(touched.every((line) => line.includes(`pfn=${FIRST_FRAME + index} `))).toBe(true);
    }
  });

  it("shows the hint that a page used again came with", () => {
    const breach = freePageBreaches.D24 as Breach;
    const driver = ready(breach);
    breach.act(driver);
    driver.machine.check();
    const [verdict] = driver.machine.verdicts;
    expect(verdict?.rule).toBe("D24");
    expect(verdict?.lines.join("\n")).toMatch(/ queue \w*free_?page\w* take head=/i);
  });

  it("tells how often and when the others were broken", () => {
    const driver = rig().bringUp();
    driver.writeActual(0);
    driver.machine.advance(5);
    driver.writeActual(0);
    const [folded] = driver.machine.summary();
    expect(folded).toMatchObject({ rule: "Q-ACTUAL-BURST", count: 2 });
    expect((folded?.lastMs ?? 0) - (folded?.firstMs ?? 0)).toBeGreaterThanOrEqual(5);
    expect(folded && formatFolded(folded)).toBe(
      "Q-ACTUAL-BURST: 2 times, first: actual is written again, 0, and nothing happened " +
        "(FIELD, 5.5.6.1)",
    );
  });

  it("names the cause of a consequence, until the next reset", () => {
    const driver = rig({ profile: "v86", waive: ["Q-ACTUAL-BURST"] }).bringUp();
    const early = () => {
      driver.writeActual(300);
      return driver.machine.verdicts.filter(({ rule }) => rule === "Q-ACTUAL-EARLY").at(-1);
    };
    driver.post(0, frames(257));
    driver.kick(0);
    expect(early()?.cause).toBe("Q-BUFFER-CAP");
    const folded = driver.machine.summary().find(({ rule }) => rule === "Q-ACTUAL-EARLY");
    expect(folded && formatFolded(folded)).toMatch(/; follows from Q-BUFFER-CAP$/);
    driver.bringUp();
    expect(early()?.cause).toBeUndefined();
  });

  it("writes page numbers and counts as decimals, addresses and bits as hexadecimals", () => {
    const driver = rig().bringUp();
    driver.move("inflate", frames(200));
    const lines = driver.machine.trace.lines().join("\n");
    expect(lines).toMatch(/inflate pages=200 first=256/);
    expect(lines).toMatch(/write device_status width=1 value=0xf/);
  });
});

describe("a guest that was moved", () => {
  it("is as it was on the host before", () => {
    const { machine, memory } = rig(NO_DECOYS).bringUp();
    const incoming = machine.save({ memory: false });
    const there = createMachine({ ...NO_DECOYS, memory, incoming });
    expect(there.outcome.end).toBe("up");
  });
});

describe("level and section", () => {
  it("are those of the interface in use", () => {
    const early = rig(NO_DECOYS);
    early.discover();
    early.set("status", 0);
    early.set("status", 1);
    expect(early.machine.verdicts).toMatchObject([
      { rule: "G-RESET-WAIT", level: "MUST", section: "4.1.4.3.2" },
    ]);
    const slot = mmioRig(2);
    slot.discover();
    slot.set("status", 0);
    slot.set("status", 1);
    expect(slot.machine.verdicts).toMatchObject([
      { rule: "G-RESET-WAIT", level: "SHOULD", section: "2.4.2" },
    ]);
  });

  it("are of a section, and of interfaces that exist", () => {
    const known: readonly string[] = ["legacy", "mmio", "legacy-mmio", "packed"];
    for (const rule of rules) {
      if (!("over" in rule)) continue;
      for (const [name, { section }] of Object.entries(rule.over)) {
        expect(known).toContain(name);
        expect(section).toMatch(/^\d/);
      }
    }
  });

  it("a cause is a rule", () => {
    const ids: readonly string[] = rules.map(({ id }) => id);
    const causes = rules.flatMap((rule) => ("follows" in rule ? [...rule.follows] : []));
    expect(causes.filter((id) => !ids.includes(id))).toEqual([]);
    expect(causes.length).toBeGreaterThan(0);
  });
});
