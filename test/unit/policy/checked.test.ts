/** What a policy may not decide: it is named once, and another one goes on. */
import { describe, expect, it } from "vitest";
import { checkedPolicy } from "../../../runtime/policy/checked.ts";
import { follow } from "../../../runtime/policy/follow.ts";
import { type PolicyDecision, pagesBound } from "../../../runtime/policy/policy.ts";
import { createMachine } from "../../../src/device/index.ts";
import {
  balloonArenaBytes,
  createBalloon,
  type Policy,
  spendablePages,
  stay,
} from "../../../src/index.ts";
import { RESERVE_PAGES, TOTAL_PAGES, viewOf } from "./view.ts";

const GOOD: PolicyDecision = {
  goalPages: 1000,
  atMostPages: Number.POSITIVE_INFINITY,
  short: undefined,
  lookAgainMs: undefined,
};

function throws(): never {
  throw new Error("no idea");
}

const LIES: readonly (readonly [string, () => unknown])[] = [
  ["goalPages NaN, no whole number", () => ({ ...GOOD, goalPages: Number.NaN })],
  ["goalPages 0.5, no whole number", () => ({ ...GOOD, goalPages: 0.5 })],
  ["goalPages -1, no whole number", () => ({ ...GOOD, goalPages: -1 })],
  ["goalPages undefined, no whole number", () => ({})],
  ["goalPages 1000000000, beyond the target 2000", () => ({ ...GOOD, goalPages: 1e9 })],
  ["atMostPages NaN", () => ({ ...GOOD, atMostPages: Number.NaN })],
  ["atMostPages -1", () => ({ ...GOOD, atMostPages: -1 })],
  ["short 1", () => ({ ...GOOD, short: 1 })],
  ["lookAgainMs NaN", () => ({ ...GOOD, lookAgainMs: Number.NaN })],
  ["ask of nobody", () => ({ ...GOOD, ask: { from: "nobody", pages: 1 } })],
  ["ask for NaN pages", () => ({ ...GOOD, ask: { from: "caches", pages: Number.NaN } })],
  ["the decision undefined", () => undefined],
  ["an error: no idea", throws],
];

describe("a policy that lies", () => {
  it.each(LIES)("%s: is named once, and follow goes on", (seen, decide) => {
    const told: Error[] = [];
    let asked = 0;
    const counted = () => {
      asked++;
      return decide();
    };
    const lie = { name: "liar", decide: counted } as unknown as Policy;
    const onRefused = (error: Error) => told.push(error);
    const checked = checkedPolicy(lie, { instead: follow(), onRefused });
    expect(checked.name).toBe("liar");
    const view = viewOf({ targetPages: 2000 });
    for (let round = 0; round < 3; round++) expect(checked.decide(view).goalPages).toBe(2000);
    expect([asked, checked.name, told.length]).toEqual([1, "follow", 1]);
    expect(told[0]).toMatchObject({ code: "policy", what: "policy liar" });
    expect(told[0]?.message).toContain(seen);
  });

  it("may not touch the reserve, though the target is beyond it", () => {
    const told: string[] = [];
    const checked = checkedPolicy(
      { name: "greedy", decide: ({ targetPages }) => ({ ...GOOD, goalPages: targetPages }) },
      { instead: follow(), onRefused: ({ message }) => told.push(message) },
    );
    const reachable = TOTAL_PAGES - RESERVE_PAGES;
    expect(checked.decide(viewOf({ targetPages: reachable })).goalPages).toBe(reachable);
    expect(told).toEqual([]);
    checked.decide(viewOf({ targetPages: reachable + 1 }));
    expect(told.join()).toContain(`beyond ${reachable}, where the reserve begins`);
  });
});

describe("in an embedded VM", () => {
  const ram = [{ start: 0x10_0000, bytes: 8 << 20 }];

  async function balloonWith(policy: Policy) {
    const arena = { start: 0x90_0000, bytes: await balloonArenaBytes({ ram }) };
    const memory = new WebAssembly.Memory({ initial: 256 });
    const machine = createMachine({ memory });
    const balloon = await createBalloon({ memory, hal: machine.hal, ram, arena, policy });
    machine.onInterrupt = () => balloon.interrupt();
    const settle = (target: number) => {
      machine.setTarget(target);
      for (let round = 0; round < 50; round++) {
        machine.advance(10);
        balloon.step();
      }
    };
    return { machine, balloon, settle };
  }

  it("a lie is the driver's last error, and the target is reached", async () => {
    const lie: Policy = { name: "liar", decide: () => ({ ...GOOD, goalPages: Number.NaN }) };
    const { machine, balloon, settle } = await balloonWith(lie);
    settle(1000);
    expect(balloon.counts().held).toBe(1000);
    expect(balloon.status()).toMatchObject({ policy: "follow", lastError: { code: "policy" } });
    expect(machine.check()).toEqual([]);
  });

  it("a policy of the public parts is followed, and nothing is told", async () => {
    const halves: Policy = {
      name: "halves",
      decide: (view) => {
        const has = pagesBound(view);
        const goalPages = Math.min(view.targetPages, 500, has + spendablePages(view));
        return goalPages === has ? stay(view, view.nowMs + 1000) : { ...GOOD, goalPages };
      },
    };
    const { balloon, settle } = await balloonWith(halves);
    settle(1000);
    expect(balloon.counts().held).toBe(500);
    expect(balloon.status().policy).toBe("halves");
    expect(balloon.status().lastError).toBeUndefined();
  });
});
