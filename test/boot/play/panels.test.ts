/** The panels of `ballonet play` in a real browser: what each does to the machine, and its answer. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM } from "../support/chromium.ts";
import { BUILD_MS } from "../support/cli-program.ts";
import type { DrivenPage } from "../support/devtools.ts";
import { axeFinds, openPlay, type PlayPage, textOf } from "../support/play-page.ts";

const SEED = Number(process.env.BALLONET_SEED ?? 20_261_128);
/** Steps after which the picture is compared with the ledger: all of them in long runs. */
const STEPS = process.env.BALLONET_RUNS === undefined ? 6 : 100;
const SLOW_MS = 60_000;

/** The guest's ledger as runs, by the core's own functions: `[first, length, state]`. */
const RUNS = `
const core = machine.core;
const runs = [];
const frames = core.ledger_frames();
for (let first = 0; first < frames; ) {
  const state = core.ledger_state(first);
  let [length, step] = [1, 1];
  for (; core.ledger_uniform(first, length + step, state); step *= 2) length += step;
  for (; step >= 1; step /= 2) {
    if (core.ledger_uniform(first, length + step, state)) length += step;
  }
  runs.push([first, length, state]);
  first += length;
}
runs`;

/**
 * Compares the page's model with the guest's ledger, frame by frame. Tries again while the guest
 * changes it meanwhile. Returns how many frames differ.
 */
const COMPARED = `(async () => {
  const { machine } = ballonet.bench;
  const { ledger } = machine;
  for (;;) {
    machine.look();
    const { version } = ledger;
    const runs = await machine.vmm.control.request({
      method: "evaluate", params: { script: ${JSON.stringify(RUNS)} }, timeoutMs: ${SLOW_MS} });
    machine.look();
    if (ledger.version !== version) continue;
    let [wrong, seen] = [0, 0];
    for (const [first, length, state] of runs) {
      for (let pfn = first; pfn < first + length; pfn += 1) {
        seen += 1;
        if (ledger.states[pfn] !== state) wrong += 1;
      }
    }
    return seen === ledger.frames ? wrong : -1;
  }
})()`;

/** What may be done in a step, as an expression in the page; `dice` is a number below 1. */
const MOVES: readonly ((dice: number) => string)[] = [
  (dice) => `m.host.setTarget(${Math.floor(dice * 14_000)})`,
  (dice) => `m.host.setTarget(${Math.floor(dice * 40) * 256})`,
  (dice) => `m.ask("workload.allocate", { frames: ${1 + Math.floor(dice * 900)}, seed: 1 })`,
  (dice) => `m.ask("workload.free", { handle: ${1 + Math.floor(dice * 6)} })`,
  (dice) => `m.ask("reserve.set", { pages: ${Math.floor(dice * 2_000)} })`,
  (dice) => `m.ask("policy.set", { name: "${dice < 0.5 ? "follow" : "gentle"}" })`,
  (dice) => `m.ask("${dice < 0.5 ? "suspend" : "resume"}")`,
];

function* dice(seed: number): Generator<number, never> {
  for (let state = seed >>> 0; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe.runIf(CHROMIUM !== undefined || process.env.CI === "true")("a panel of the page", () => {
  let play: PlayPage;
  let page: DrivenPage;
  const press = (selector: string) =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  const choose = (selector: string, value: string) =>
    page.evaluate(`(() => {
      const list = document.querySelector(${JSON.stringify(selector)});
      list.value = ${JSON.stringify(value)};
      list.dispatchEvent(new Event("change"));
    })()`);
  /** Presses, and waits for the line that answers. */
  const answer = async (selector: string, line: string): Promise<string> => {
    const before = await textOf(page, line);
    await press(selector);
    await page.until(
      `(() => {
      const line = document.querySelector("${line}");
      return line.dataset.busy === undefined && line.textContent !== ${JSON.stringify(before)};
    })()`,
      SLOW_MS,
    );
    return textOf(page, line);
  };

  beforeAll(async () => {
    play = await openPlay(undefined);
    ({ page } = play);
    await page.look(1280, 1000);
    await play.load();
  }, BUILD_MS);
  afterAll(() => play?.close());

  it(`shows the truth, frame by frame, after each of ${STEPS} random steps`, {
    timeout: STEPS * 20_000,
  }, async () => {
    console.log(`seed ${SEED}`);
    const next = dice(SEED);
    for (let step = 0; step < STEPS; step += 1) {
      const move = MOVES[Math.floor(next.next().value * MOVES.length)] as (at: number) => string;
      const text = move(next.next().value);
      // What the guest refuses is a step, too.
      await page.evaluate(`(async (m) => ${text})(ballonet.bench.machine).catch(() => {})`);
      expect({ step, text, wrong: await page.evaluate<number>(COMPARED) }).toMatchObject({
        wrong: 0,
      });
    }
  });

  it("keeps a state over a reload, and restores it with its workload", async () => {
    await page.evaluate("ballonet.bench.machine.ask('resume')");
    await page.evaluate("ballonet.bench.machine.ask('reserve.set', { pages: 256 })");
    await page.evaluate("ballonet.bench.machine.host.setTarget(5000)");
    await page.until("ballonet.bench.machine.host.actualPages === 5000", SLOW_MS);
    await answer("#allocate button", "#workload-answer");
    const counts = "[...ballonet.bench.machine.ledger.counts].join()";
    const before = await page.evaluate<string>(`ballonet.bench.machine.look(), ${counts}`);
    expect(await answer("#save", "#host-answer")).toMatch(/^Saved: [\d.]+ MiB\.$/);
    await play.load();
    await page.until(`!document.querySelector("#restore").disabled`);
    expect(await answer("#restore", "#host-answer")).toMatch(/^Restored: [\d.]+ MiB\.$/);
    expect(await page.evaluate<string>(`ballonet.bench.machine.look(), ${counts}`)).toBe(before);
    expect(await answer("#verify", "#workload-answer")).toMatch(/^All [\d,]+ bytes are as/);
    expect(await page.evaluate(COMPARED)).toBe(0);
  });

  it("asks for statistics and hints, evaluates, and shows the log", async () => {
    expect(await answer("#statistics", "#host-answer")).toMatch(/^The driver reported \d+ values/);
    expect(await textOf(page, "#statistics-table")).toContain("totalMemory");
    expect(await answer("#hint", "#host-answer")).toMatch(/MiB were hinted. A saved state had/);
    await press("#examples button:nth-child(5)");
    await page.until(`/71/.test(document.querySelector("#value").textContent)`);
    expect(JSON.parse(await textOf(page, "#value"))).toHaveLength(20);
    await press("#examples button:nth-child(4)");
    await page.until(`/inflating/.test(document.querySelector("#value").textContent)`);
    expect(await page.evaluate(`document.querySelector("#script").value`)).toContain("State[]");
    expect(JSON.parse(await textOf(page, "#value")).free).toBeGreaterThan(0);
    await page.evaluate(`document.querySelector("#script").value = "enum A { B }"`);
    await press("#run-script");
    await page.until(`/an enum has code/.test(document.querySelector("#value").textContent)`);
    expect(await textOf(page, "#log")).toContain("ballonet: ready");
  });

  it("boots another persona, and is told what the guest refuses", async () => {
    await choose("#persona", "linux");
    await choose("#memory", "32");
    expect(await answer("#boot button", "#driver-answer")).toMatch(/^Up as linux after \d+ ms\.$/);
    const { persona } = await page.evaluate<{ persona: string }>(
      "ballonet.bench.machine.ask('status')",
    );
    expect(persona).toBe("linux");
    expect(await page.evaluate("ballonet.bench.machine.ledger.frames")).toBe(8192);
    await page.evaluate(`document.querySelector("#workload-mib").value = 200`);
    expect(await answer("#allocate button", "#workload-answer")).toContain(
      "not enough free memory",
    );
    await page.evaluate(`document.querySelector("#workload-mib").value = 8`);
  });

  it("waits for the machine that boots when both views are looked at meanwhile", async () => {
    await choose("#memory", "32");
    await press("#boot button");
    await page.evaluate(`location.hash = "#two-machines"`);
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))");
    await page.evaluate(`location.hash = ""`);
    await page.until(`document.querySelector("#two").hidden`);
    await page.evaluate("ballonet.bench.settled()");
    await page.until("ballonet.bench.running !== undefined", SLOW_MS);
    expect(await page.evaluate("ballonet.bench.machine.ledger.frames")).toBe(8192);
    // The state of the first machine, of 64 MiB, would make v86 complain.
    expect(page.console).toEqual([]);
  });

  it("judges a driver, and shows what a fault makes of it", async () => {
    await choose("#persona", "ballonet");
    await choose("#device-kind", "reference");
    await choose("#design", "locked");
    expect(await answer("#device button", "#judge-answer")).toContain("Locks the guest's memory");
    await choose("#fault", "used-id-twice");
    expect(await answer("#inject-button", "#judge-answer")).toContain("sets FAILED");
    await press('[data-share="0.5"]');
    await page.until(`ballonet.bench.machine.host.device.faultsStruck.has("used-id-twice")`);
    await page.until(`/warn|error|FAILED/.test(document.querySelector("#log").textContent)`);
  });

  it("shows which pages Windows loses on a host that unlocks them", async () => {
    const said = await answer("#lose", "#judge-answer");
    expect(said).toContain("away");
    const [, lost = "0"] = / away; ([\d,]+) were in use/.exec(said) ?? [];
    expect(Number(lost.replace(",", ""))).toBeGreaterThan(0);
    await page.until(
      `document.querySelector('#legend [data-state="lost"] b').textContent === "${lost}"`,
    );
    expect(await textOf(page, "#verdicts")).toContain("MUST_TELL_HOST");
    expect(
      await page.evaluate(`document.querySelector("#verdicts pre").textContent.length`),
    ).toBeGreaterThan(20);
    await press("#tab-judge");
    await page.evaluate(`for (const one of document.querySelectorAll("details")) one.open = true`);
    expect(await axeFinds(page)).toEqual([]);
  });

  it("moves memory from one guest to another, within what the host has", async () => {
    await page.evaluate(`location.hash = "#two-machines"`);
    await page.until("ballonet.two.machines.length === 2", SLOW_MS);
    const sizes = "ballonet.two.machines.map(({ pages, host }) => pages - host.actualPages)";
    await page.until(`${sizes}.join() === "11264,11264"`, SLOW_MS);
    await page.evaluate(`document.querySelector("#share").focus()`);
    await page.evaluate(`globalThis.most = 0; setInterval(() => {
      most = Math.max(most, ${sizes}[0] + ${sizes}[1]);
    }, 1); 0`);
    await page.key("PageUp");
    await page.until(`${sizes}.join() === "13312,9216"`, SLOW_MS);
    expect(await page.evaluate("most")).toBeLessThanOrEqual(88 * 256);
    await page.until(`document.querySelector("#share-left").textContent === "52 MiB"`);
    expect(await textOf(page, "#two-steps")).toContain("await right.balloon.waitForActual(");
    // Back and forth, before either has what it was given.
    for (const key of ["PageDown", "PageDown", "PageUp", "PageUp", "PageUp"]) {
      await page.key(key);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await page.until(`${sizes}.join() === "15360,7168"`, SLOW_MS);
    expect(await page.evaluate("most")).toBeLessThanOrEqual(88 * 256);
    const [left, middle, width] = await page.evaluate<[number, number, number]>(`(() => {
      const bar = document.querySelector("#share-bar");
      bar.scrollIntoView({ block: "center" });
      const { left, top, width, height } = bar.getBoundingClientRect();
      return [left, top + height / 2, width];
    })()`);
    await page.drag([0.7, 0.5, 0.4].map((share) => [left + share * width, middle] as const));
    await page.until(`${sizes}.join() === "8960,13568"`, SLOW_MS);
    expect(await page.evaluate("most")).toBeLessThanOrEqual(88 * 256);
    expect(await axeFinds(page)).toEqual([]);
  });

  it("says nothing on the console", () => {
    expect(page.console).toEqual([]);
  });
});
