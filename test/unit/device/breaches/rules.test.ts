/**
 * The proof that the judge bites: each rule is broken once, and exactly that verdict comes.
 *
 * No rule is without a breach, and no breach without a rule.
 */
import { describe, expect, it } from "vitest";
import { formatVerdict, notObservable, rules } from "../../../../src/device/index.ts";
import { standingOf } from "../../../../src/device/spec/rule.ts";
import { broken, rig } from "../drivers/raw-driver.ts";
import { balloonBreaches } from "./balloon.ts";
import { type Breach, ready } from "./breach.ts";
import { freePageBreaches } from "./free-pages.ts";
import { generalBreaches } from "./general.ts";
import { legacyBreaches } from "./legacy.ts";
import { mmioBreaches } from "./mmio.ts";
import { msixBreaches } from "./msix.ts";
import { packedBreaches } from "./packed.ts";
import { pciBreaches } from "./pci.ts";
import { ringBreaches } from "./ring.ts";

const breaches: Readonly<Record<string, Breach>> = {
  ...generalBreaches,
  ...pciBreaches,
  ...msixBreaches,
  ...legacyBreaches,
  ...mmioBreaches,
  ...ringBreaches,
  ...packedBreaches,
  ...balloonBreaches,
  ...freePageBreaches,
};

function placeOf(breach: Breach) {
  const { mmio } = breach;
  const packed = breach.packed === true;
  if (mmio !== undefined) return { by: mmio === 1 ? "legacy-mmio" : "mmio", packed } as const;
  return { by: breach.legacy ? "legacy" : "modern", packed } as const;
}

describe("the table of rules", () => {
  it("has a breach for each rule, and no other", () => {
    expect(Object.keys(breaches).sort()).toEqual(rules.map((rule) => rule.id).sort());
  });

  it("has no id twice, and every unobservable statement has a reason", () => {
    const ids = [...rules.map(({ id }) => id), ...notObservable.map(({ id }) => id)];
    expect(new Set(ids).size).toBe(ids.length);
    for (const { reason } of notObservable) expect(reason).toMatch(/^[A-Z].*\.$/);
  });
});

describe("breaking a rule", () => {
  it.each(rules.map((rule) => [rule.id, rule] as const))("%s", (id, rule) => {
    const breach = breaches[id] as Breach;
    const driver = ready(breach);
    expect(broken(driver.machine), "before the breach").toEqual([]);
    breach.act(driver);
    driver.machine.check({ memoryShort: id !== "D4" });
    expect(broken(driver.machine)).toEqual([id]);
    const verdict = driver.machine.verdicts[0];
    expect(verdict).toMatchObject({ rule: id, ...standingOf(rule, placeOf(breach)) });
    expect(verdict?.seen).not.toBe("");
    expect(verdict?.lines.length).toBeGreaterThan(0);
    expect(formatVerdict(verdict as NonNullable<typeof verdict>)).toContain(rule.title);
  });

  it("leaves no verdict when the rule is waived", () => {
    const driver = rig({ waive: ["Q-ORDER"] }).bringUp();
    balloonBreaches["Q-ORDER"].act(driver);
    driver.machine.check();
    expect(driver.machine.verdicts).toEqual([]);
    expect(driver.machine.broken("Q-ORDER")).toBe(0);
  });

  it("keeps the first verdicts of a rule and counts the others", () => {
    const driver = rig().bringUp();
    for (let i = 0; i < 40; i += 1) driver.read(1, 20, 4);
    expect(driver.machine.verdicts.length).toBe(16);
    expect(driver.machine.broken("P-WIDTH")).toBe(40);
  });
});
