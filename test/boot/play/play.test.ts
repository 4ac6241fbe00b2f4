/**
 * The page of `ballonet play` in a real browser: one browser and one server for all, so that a test
 * takes a second or two. Each test begins with the machine as the last one left it, or boots anew.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withOffline } from "../../../src/play/index.ts";
import { CHROMIUM } from "../support/chromium.ts";
import { BUILD_MS } from "../support/cli-program.ts";
import type { DrivenPage } from "../support/devtools.ts";
import { axeFinds, openPlay, type PlayPage, textOf } from "../support/play-page.ts";

/** Of the page and its code, without v86 and the image. */
const OWN_BYTES_MAX = 400_000;
/** After the page was asked for. */
const PAINT_MS_MAX = 300;
const READY_MS_MAX = 2_000;
const LOADS_MAX = 5;
const PAGES = 16_384;
const HALF = PAGES / 2;
/** The part of the page's one thread that the picture may take. */
const SHARE_MAX = 0.05;
const TURNS_MAX = 3;

const isHere = CHROMIUM !== undefined || process.env.CI === "true";

describe.runIf(isHere)("the page of ballonet play", () => {
  let play: PlayPage;
  let page: DrivenPage;
  const count = (state: string) =>
    page.evaluate<number>(`ballonet.bench.machine.ledger.count("${state}")`);
  const actualIs = (pages: number) =>
    page.until(`ballonet.bench.machine.host.actualPages === ${pages} &&
      ballonet.bench.machine.ledger.count("held") === ${pages}`);
  const panel = (name: string) => page.evaluate(`document.querySelector("#tab-${name}").click()`);
  const press = (selector: string) =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);

  beforeAll(async () => {
    play = await openPlay(undefined);
    ({ page } = play);
    await page.look(1280, 1000);
    await play.load();
  }, BUILD_MS);
  afterAll(() => play?.close());

  it("is small", async () => {
    const own = await page.evaluate<number>(`performance.getEntriesByType("resource")
      .concat(performance.getEntriesByType("navigation"))
      .filter(({ name }) => !/v86|guest/.test(name))
      .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)`);
    console.log(`${own} bytes`);
    expect(own).toBeGreaterThan(100_000);
    expect(own).toBeLessThan(OWN_BYTES_MAX);
  });

  it("is painted at once, and its machine is ready soon", async () => {
    const times = { paintMs: Number.POSITIVE_INFINITY, readyMs: Number.POSITIVE_INFINITY };
    // On a machine that others use as well, the best of some loads tells what the page takes.
    for (let load = 0; load < LOADS_MAX; load += 1) {
      const [paintMs, readyMs] = await page.evaluate<[number, number]>(`[
        performance.getEntriesByName("first-contentful-paint")[0].startTime,
        performance.getEntriesByName("ready")[0].startTime]`);
      console.log(`first paint ${Math.round(paintMs)} ms, ready ${Math.round(readyMs)} ms`);
      times.paintMs = Math.min(times.paintMs, paintMs);
      times.readyMs = Math.min(times.readyMs, readyMs);
      if (times.paintMs < PAINT_MS_MAX && times.readyMs < READY_MS_MAX) break;
      await play.load();
    }
    expect(times.paintMs).toBeLessThan(PAINT_MS_MAX);
    expect(times.readyMs).toBeLessThan(READY_MS_MAX);
    expect(await textOf(page, "#steps")).toContain("await vmm.snapshots.restore({ state });");
  });

  it("follows a target to the page, and every cell with it", async () => {
    await press('[data-share="0.5"]');
    await actualIs(HALF);
    const wrong = await page.evaluate<number>(`(() => {
      const { machine } = ballonet.bench;
      const { picture } = ballonet.frames;
      ballonet.frames.refresh();
      const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name);
      const names = ["reserved", "used", "free", "inflating", "held"].map((name) => tone(name).trim());
      const hex = (pixel) => "#" + [0, 8, 16].map((by) =>
        ((pixel >>> by) & 255).toString(16).padStart(2, "0")).join("");
      let wrong = 0;
      for (let pfn = 0; pfn < machine.ledger.frames; pfn += 37) {
        if (hex(picture.pixelOf(pfn)) !== names[machine.ledger.states[pfn]]) wrong += 1;
      }
      return wrong;
    })()`);
    expect(wrong).toBe(0);
    await page.until(`document.querySelector("#figure-actual").textContent === "32 MiB"`);
    expect(await textOf(page, '#legend [data-state="held"] b')).toBe("8,192");
    const states = ["reserved", "used", "free", "held"];
    const counts = await Promise.all(states.map(count));
    expect(counts.reduce((sum, one) => sum + one, 0)).toBe(PAGES);
  });

  it("takes a target by dragging, by keys and by typing", async () => {
    const [left, middle, width] = await page.evaluate<[number, number, number]>(`(() => {
      const { left, top, width, height } = document.querySelector("#bar").getBoundingClientRect();
      return [left, top + height / 2, width];
    })()`);
    const at = (share: number) => [left + share * width, middle] as const;
    await page.drag([at(0.5), at(0.4), at(0.3), at(0.25)]);
    await page.until("ballonet.bench.machine.host.targetPages !== 8192");
    const dragged = await page.evaluate<number>("ballonet.bench.machine.host.targetPages");
    expect(Math.abs(dragged - PAGES / 4)).toBeLessThan(128);
    await actualIs(dragged);
    await page.key("ArrowRight");
    await actualIs(dragged + 64);
    await page.evaluate(`(() => {
      const typed = document.querySelector("#target");
      typed.value = "20.5";
      typed.dispatchEvent(new Event("change"));
    })()`);
    await actualIs(20.5 * 256);
    const value = await page.evaluate(
      `document.querySelector("#handle").getAttribute("aria-valuetext")`,
    );
    expect(value).toBe("20.5 MiB in the balloon");
  });

  it("names a frame, its state and since when", async () => {
    await page.evaluate(`document.querySelector("#picture").focus()`);
    await page.key("ArrowRight");
    await page.key("ArrowDown");
    expect(await textOf(page, "#tip")).toMatch(/^frame 128 at 0x80000: \w+, for [\d.]+ (s|min)$/);
  });

  it("verifies a workload, and shows each step as code", async () => {
    await press("#allocate button");
    await page.until(`/filled/.test(document.querySelector("#workload-answer").textContent)`);
    expect(await count("used")).toBeGreaterThanOrEqual(8 * 256);
    await press("#verify");
    const good = `document.querySelector("#workload-answer").dataset.verdict === "good"`;
    await page.until(good);
    expect(await textOf(page, "#workload-answer")).toBe(
      "All 8,388,608 bytes are as they were written.",
    );
    const steps = await textOf(page, "#steps");
    expect(steps).toContain('await vmm.control.request({ method: "workload.verify" });');
    expect(steps).toContain("ballonet boot --memory 64M --target 5248p");
  });

  it("costs the guest less than a twentieth of its time", async () => {
    const measured = `(async () => {
      const { costs } = ballonet;
      const [beganMs, before] = [performance.now(), costs.lookMs];
      for (const share of [0.75, 0, 0.5, 0.25]) {
        document.querySelector('[data-share="' + share + '"]').click();
        await new Promise((resolve) => setTimeout(resolve, 400));
      }
      return (costs.lookMs - before) / (performance.now() - beganMs);
    })()`;
    let share = 1;
    // What others do on this machine counts as the page's time: the best of some tells its own.
    for (let turn = 0; turn < TURNS_MAX && share >= SHARE_MAX; turn += 1) {
      share = Math.min(share, await page.evaluate<number>(measured));
      console.log(`the picture and all figures take ${(share * 100).toFixed(1)} % of the time`);
    }
    expect(share).toBeLessThan(SHARE_MAX);
  });

  it("says nothing on the console", () => {
    expect(page.console).toEqual([]);
  });

  it("has nothing that axe finds, in light and in dark", async () => {
    expect(await axeFinds(page)).toEqual([]);
    for (const name of ["workload", "driver", "judge", "host", "prompt", "log"]) {
      await panel(name);
      const found = await axeFinds(page, `#panel-${name}`);
      expect({ name, found }).toEqual({ name, found: [] });
    }
  });

  it("runs from a folder without a server, too", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ballonet-page-"));
    try {
      for (const [name, contents] of await withOffline(play.files)) {
        await writeFile(join(folder, name), contents);
      }
      await page.goTo(pathToFileURL(join(folder, "index.html")).href);
      await page.until(`document.querySelector("#state")?.dataset.state === "ready"`);
      expect(await page.evaluate("location.protocol")).toBe("file:");
      await press('[data-share="0.5"]');
      await actualIs(HALF);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    expect(page.console).toEqual([]);
  });
});
