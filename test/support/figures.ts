/** What tests have done, in numbers that add up over a run. */
import type {} from "vitest";

/** What is counted, and how a total of it is read. */
export const FIGURES = {
  sequences: "sequences of commands",
  faultsAtSteps: "faults times steps",
  walks: "walks with a fault",
  states: "states searched",
  transitions: "transitions searched",
  executions: "inputs that were fuzzed",
  events: "events of a booted guest",
  programs: "programs that nobody wrote",
  migrations: "migrations",
  pagesMoved: "pages moved",
  bytesVerified: "bytes verified",
  simulatedMs: "simulated time",
} as const;

export type FigureName = keyof typeof FIGURES;
export type Figures = Partial<Record<FigureName, number>>;

declare module "vitest" {
  /** What goes from a test to the reporters. */
  interface TaskMeta {
    figures?: Figures;
  }
}

export function sumOf(all: readonly Figures[]): Figures {
  const sum: Figures = {};
  for (const figures of all) {
    for (const [name, amount] of Object.entries(figures) as [FigureName, number][]) {
      sum[name] = (sum[name] ?? 0) + amount;
    }
  }
  return sum;
}
