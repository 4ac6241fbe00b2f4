/** The time line: target, actual, free and used, and below them kicks and interrupts. */
import uPlot from "uplot";
import { byId, colour, make, onColours } from "./elements.ts";

export interface Sample {
  readonly target: number;
  readonly actual: number;
  readonly free: number;
  readonly used: number;
  /** Counted since the machine was launched. */
  readonly kicks: number;
  readonly interrupts: number;
}

/** Five samples a second for five minutes. */
const SAMPLES = 1_500;
/** How much of it is seen, in seconds. */
const SEEN = 60;
const AXIS_WIDTH = 58;

const LINES = [
  { name: "target", tone: "target-line", width: 2, dash: [6, 4] },
  { name: "actual", tone: "actual-line", width: 2.5 },
  { name: "free", tone: "free-line", width: 1.5 },
  { name: "used", tone: "used", width: 1.5 },
];
const SIGNALS = [
  { name: "kicks", tone: "inflating", width: 2 },
  { name: "interrupts", tone: "reporting", width: 2 },
];

export class Timeline {
  private readonly rows: number[][] = Array.from({ length: 7 }, () => []);
  private readonly plots: { readonly box: HTMLElement; plot: uPlot; make(): uPlot }[];
  private last: Sample | undefined;
  private beganMs = performance.now();

  constructor() {
    byId("keys", HTMLUListElement).replaceChildren(
      ...[...LINES, ...SIGNALS].map(({ name, tone }) => {
        const key = make("i");
        key.style.setProperty("--tone", `var(--${tone})`);
        return make("li", key, name);
      }),
    );
    const of = (id: string, lines: typeof LINES, unit: string) => {
      const box = byId(id, HTMLElement);
      const makePlot = () =>
        new uPlot(options(box, lines, unit), [[], ...lines.map(() => [])], box);
      return { box, plot: makePlot(), make: makePlot };
    };
    this.plots = [of("plot", LINES, "MiB"), of("signals", SIGNALS, "/s")];
    for (const one of this.plots) {
      new ResizeObserver(() => one.plot.setSize(sizeOf(one.box))).observe(one.box);
    }
    onColours(() => {
      for (const one of this.plots) {
        one.plot.destroy();
        one.plot = one.make();
      }
      this.draw();
    });
    this.draw();
  }

  /** Begins anew, for another machine. */
  clear(): void {
    for (const row of this.rows) row.length = 0;
    this.last = undefined;
    this.beganMs = performance.now();
  }

  /** Takes a sample of pages and signals, and draws it. */
  add(sample: Sample): void {
    const at = (performance.now() - this.beganMs) / 1000;
    const passed = Math.max(0.05, at - (this.rows[0]?.at(-1) ?? 0));
    const rate = (name: "kicks" | "interrupts") =>
      Math.max(0, sample[name] - (this.last?.[name] ?? sample[name])) / passed;
    const { target, actual, free, used } = sample;
    const pages = [target, actual, free, used].map((count) => count / 256);
    const values = [at, ...pages, rate("kicks"), rate("interrupts")];
    this.rows.forEach((row, index) => {
      row.push(values[index] as number);
      if (row.length > SAMPLES) row.shift();
    });
    this.last = sample;
    this.draw();
  }

  private draw(): void {
    const [times, target, actual, free, used, kicks, interrupts] = this.rows as [
      number[],
      number[],
      number[],
      number[],
      number[],
      number[],
      number[],
    ];
    const end = Math.max(SEEN, times.at(-1) ?? 0);
    const [memory, signals] = this.plots;
    memory?.plot.setData([times, target, actual, free, used], false);
    signals?.plot.setData([times, kicks, interrupts], false);
    for (const { plot } of this.plots) plot.setScale("x", { min: end - SEEN, max: end });
  }
}

function sizeOf(box: HTMLElement): { width: number; height: number } {
  return { width: Math.max(200, box.clientWidth), height: Math.max(60, box.clientHeight) };
}

function options(box: HTMLElement, lines: typeof LINES, unit: string): uPlot.Options {
  const soft = colour("soft");
  const grid = { stroke: colour("line"), width: 1 };
  const font = "12px system-ui, sans-serif";
  const isLow = unit === "/s";
  const axis = { stroke: soft, grid, ticks: { show: false }, font };
  return {
    ...sizeOf(box),
    cursor: { show: false },
    legend: { show: false },
    padding: [8, 16, 8, 0],
    scales: {
      x: { time: false },
      y: { range: (_plot, _least, most) => [0, niceTop(most, isLow ? 10 : 8)] },
    },
    axes: [
      { ...axis, size: 26, values: (_plot, ticks) => ticks.map((tick) => `${tick} s`), space: 70 },
      {
        ...axis,
        size: AXIS_WIDTH,
        space: isLow ? 24 : 36,
        values: (_plot, ticks) => ticks.map((tick) => `${tick} ${unit}`),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, tone, width, dash }) => ({
        label: name,
        stroke: colour(tone),
        width,
        ...(dash && { dash }),
        points: { show: false },
      })),
    ],
  };
}

/** The least of 1, 2, 4, 8 times a power of ten or two that holds the value with some air. */
function niceTop(most: number | null, least: number): number {
  let top = least;
  while (top < (most ?? 0) * 1.02) top *= 2;
  return top;
}
