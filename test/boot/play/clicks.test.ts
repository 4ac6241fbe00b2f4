/**
 * Clicks at random on the page of `ballonet play`, by seed: nothing on the console, and memory that
 * stays. Ten seconds of it; with BALLONET_CLICK_SECONDS as long as that says.
 */
import { expect, it } from "vitest";
import { BUILD_MS } from "../support/cli-program.ts";
import type { DrivenPage } from "../support/devtools.ts";
import { openPlay } from "../support/play-page.ts";

const SEED = Number(process.env.BALLONET_SEED ?? 7);
const LONG_SECONDS = 3_600;
const SECONDS = Number(
  process.env.BALLONET_CLICK_SECONDS ??
    (process.env.BALLONET_RUNS === undefined ? 10 : LONG_SECONDS),
);
/** In runs that are long enough for memory to come to rest. */
const IS_MEASURED = SECONDS >= 120;
/** Parts of ten seconds after which each panel has been used. */
const WARM_PARTS = 2;
const GROWTH_MAX = 1.1;

/** What is clicked on, dragged or changed: whatever the page offers at that moment. */
const CLICKING = `(async (seed, untilMs) => {
  let state = seed >>> 0;
  const next = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let clicks = 0;
  while (performance.now() < untilMs) {
    const all = [...document.querySelectorAll("button, select, input, nav a, [role=slider], canvas, summary")]
      .filter((one) => one.offsetParent !== null && !one.disabled);
    const one = all[next(all.length)];
    one.focus();
    if (one instanceof HTMLSelectElement) {
      one.selectedIndex = next(one.options.length);
      if (one.id === "memory") one.value = ["32", "64"][next(2)];
      one.dispatchEvent(new Event("change", { bubbles: true }));
    } else if (one instanceof HTMLInputElement) {
      one.value = String(next(70));
      one.dispatchEvent(new Event("change", { bubbles: true }));
    } else if (one.matches("[role=slider], canvas")) {
      const key = ["ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End", "+", "-"][next(8)];
      one.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      const { left, top, width, height } = one.getBoundingClientRect();
      const at = { clientX: left + next(width), clientY: top + next(height), bubbles: true };
      one.dispatchEvent(new PointerEvent("pointermove", at));
    } else one.click();
    clicks += 1;
    await new Promise((resolve) => setTimeout(resolve, next(150)));
  }
  return clicks;
})`;

/** Two machines that stand still, and the first one, booted anew: as much at each time. */
const REST = `(async () => {
  location.hash = "#two-machines";
  while (ballonet.two.machines.length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  location.hash = "";
  while (ballonet.two.shown) await new Promise((resolve) => setTimeout(resolve, 50));
  await ballonet.bench.boot({ memoryBytes: 64 << 20, persona: "ballonet", device: { kind: "v86" } });
})()`;

/** The page keeps its last hundred steps: memory is measured with all of them. */
const STEPS = `for (let step = 0; step < 100; step += 1) {
  const code = ["await vmm.balloon.setTarget({ pages: 1 });", "ballonet boot --target 1p"];
  ballonet.bench.steps.add("Target", code);
}`;

async function heapBytes(page: DrivenPage): Promise<number> {
  await page.evaluate(REST);
  // What a machine's finalizers held back goes with the next collection.
  for (let times = 0; times < 3; times += 1) await page.call("HeapProfiler.collectGarbage");
  const { usedSize } = await page.call("Runtime.getHeapUsage");
  return Number(usedSize);
}

it(`survives ${SECONDS} s of random clicks`, {
  timeout: BUILD_MS + 2_000 * SECONDS,
}, async (context) => {
  console.log(`seed ${SEED}`);
  const { page, load, close } = await openPlay(context);
  try {
    await page.look(1280, 1000);
    await load();
    await page.evaluate(STEPS);
    let [clicks, first, last] = [0, 0, 0];
    const beganMs = performance.now();
    for (let part = 0; performance.now() - beganMs < SECONDS * 1_000; part += 1) {
      const untilMs = `performance.now() + ${Math.min(10_000, SECONDS * 1_000)}`;
      clicks += await page.evaluate<number>(`${CLICKING}(${SEED + part}, ${untilMs})`);
      if (IS_MEASURED) last = await heapBytes(page);
      if (part === WARM_PARTS) first = last;
    }
    const sizes = [first, last].map((bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`);
    console.log(`${clicks} clicks${IS_MEASURED ? `; heap ${sizes.join(", then ")}` : ""}`);
    expect(clicks).toBeGreaterThan(SECONDS);
    expect(page.console).toEqual([]);
    if (IS_MEASURED) expect(last / first).toBeLessThan(GROWTH_MAX);
  } finally {
    await close();
  }
});
