/** Prints what a run has done in all, and keeps it, test by test, in build/figures.json. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import { FIGURES, type FigureName, type Figures, sumOf } from "./figures.ts";

const ROOT = join(import.meta.dirname, "../..");
const UNITS = [
  ["years", 365 * 86_400_000],
  ["days", 86_400_000],
  ["hours", 3_600_000],
  ["s", 1000],
] as const;

function timeText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, most]) => ms >= most) ?? UNITS[3];
  return `${(ms / unitMs).toFixed(1)} ${unit}`;
}

export function figureText(name: FigureName, amount: number): string {
  if (name === "simulatedMs") return timeText(amount);
  return Math.round(amount).toLocaleString("en");
}

/** A line for each figure of which there is one. */
export function totalLines(totals: Figures): string[] {
  const names = (Object.keys(FIGURES) as FigureName[]).filter((name) => totals[name]);
  const width = Math.max(0, ...names.map((name) => FIGURES[name].length));
  return names.map((name) => {
    return `${FIGURES[name].padStart(width)}  ${figureText(name, totals[name] ?? 0)}`;
  });
}

export class FiguresReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests: Record<string, Figures> = {};
    for (const module of modules) {
      const file = relative(ROOT, module.moduleId);
      for (const test of module.children.allTests("passed")) {
        const { figures } = test.meta();
        if (figures !== undefined) tests[`${file}: ${test.fullName}`] = figures;
      }
    }
    const totals = sumOf(Object.values(tests));
    const lines = totalLines(totals);
    if (lines.length === 0) return;
    mkdirSync(join(ROOT, "build"), { recursive: true });
    writeFileSync(
      join(ROOT, "build/figures.json"),
      `${JSON.stringify({ totals, tests }, null, 2)}\n`,
    );
    console.log(`${lines.join("\n")}\n\nEach test's are in build/figures.json.\n`);
  }
}
