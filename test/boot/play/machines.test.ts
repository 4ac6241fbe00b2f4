/** The machines of `ballonet play`: one at a time, and nothing keeps one that has ended. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM } from "../support/chromium.ts";
import { BUILD_MS } from "../support/cli-program.ts";
import type { DrivenPage } from "../support/devtools.ts";
import { openPlay, type PlayPage } from "../support/play-page.ts";

const V86 = `{ memoryBytes: 32 << 20, device: { kind: "v86" } }`;
const JUDGED = `{ device: { kind: "reference", design: "locked", profile: "strict" } }`;
/** Less than the time for which a panel waits for what a machine does. */
const FREED_MS = 5_000;

/** Remembers each machine of the bench, without keeping it. */
const WATCH = `globalThis.known = [];
const watch = ({ vmm }) => known.push(new WeakRef(vmm));
ballonet.bench.onMachine.push(watch);
watch(ballonet.bench.machine);
0`;
const ALIVE = "known.filter((one) => one.deref() !== undefined).length";

describe.runIf(CHROMIUM !== undefined || process.env.CI === "true")("a machine of the page", () => {
  let play: PlayPage;
  let page: DrivenPage;
  /** Collects garbage until so many machines are left, or time is up. Returns how many are. */
  const left = async (wanted: number): Promise<number> => {
    const endMs = performance.now() + FREED_MS;
    for (;;) {
      await page.call("HeapProfiler.collectGarbage");
      const alive = await page.evaluate<number>(ALIVE);
      if (alive <= wanted || performance.now() > endMs) return alive;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  beforeAll(async () => {
    play = await openPlay(undefined);
    ({ page } = play);
    await page.look(1280, 1000);
    await play.load();
    await page.evaluate(WATCH);
  }, BUILD_MS);
  afterAll(() => play?.close());

  it("comes after the one before, however many are asked for at once", async () => {
    const frames = await page.evaluate<number[]>(`Promise.all([32, 64, 32, 64, 32].map(
      (mib) => ballonet.bench.boot({ memoryBytes: mib << 20 })))
      .then((all) => all.map(({ pages, vmm }) => {
        try {
          vmm.memory();
          return pages;
        } catch {
          return 0;
        }
      }))`);
    expect(frames).toEqual([0, 0, 0, 0, 8192]);
    expect(await left(1)).toBe(1);
  });

  it("is kept by nobody once another one has its place", async () => {
    for (const choice of [V86, JUDGED, V86, JUDGED]) {
      await page.evaluate(`ballonet.bench.boot(${choice}).then(() => 0)`);
    }
    expect(await left(1)).toBe(1);
  });

  it("is kept by nobody once its guest has ended", async () => {
    for (const choice of [V86, JUDGED]) {
      await page.evaluate(`ballonet.bench.boot(${choice}).then(() => 0)`);
      await page.evaluate(`ballonet.bench.machine.ask("panic", { kind: "error" }).catch(() => 0)`);
      await page.until("ballonet.bench.running === undefined");
      expect(await left(0)).toBe(0);
    }
  });

  it("is not waited for by a demonstration when another one has its place", async () => {
    const isShown = `document.querySelector("#design").value === "locked-always"`;
    const isUp = "ballonet.bench.running?.host.device !== undefined";
    await page.evaluate(`document.querySelector("#lose").click()`);
    await page.until(`${isUp} && ${isShown}`);
    await page.evaluate(`ballonet.bench.boot(${V86}).then(() => 0)`);
    expect(await left(1)).toBe(1);
  });

  it.each(["#two-machines", ""])("stands still while %j shows others", async (last) => {
    const other = last === "" ? "#two-machines" : "";
    await page.evaluate(`(async () => {
      const booted = ballonet.bench.boot(${V86});
      for (const hash of ["#two-machines", "", "${other}", "${last}"]) {
        location.hash = hash;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await booted;
    })()`);
    const isRunning = "({ vmm }) => vmm.emulator.is_running()";
    const running = `[ballonet.bench.machine, ...ballonet.two.machines].map(${isRunning}).join()`;
    const wanted = last === "" ? "true,false,false" : "false,true,true";
    await page.until(`${running} === "${wanted}"`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await page.evaluate(running)).toBe(wanted);
  });

  it("says nothing on the console", () => {
    expect(page.console).toEqual([]);
  });
});
