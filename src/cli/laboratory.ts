/**
 * What the commands of the laboratory have in common: its names, and its progress.
 *
 * Invariant: progress is drawn on standard error, only on a terminal, and taken away at the end.
 */
import { type Io, Screen } from "./terminal.ts";

export type Laboratory = typeof import("../lab/index.ts");

type OnCell = (name: string, done: number, of: number) => void;

/** Runs `work` with a line that says which cell is on. */
export async function withProgress<T>(io: Io, work: (onCell: OnCell) => Promise<T>): Promise<T> {
  const progress = new Screen(io.err, io.environment);
  try {
    return await work((name, done, of) => {
      progress.draw(progress.style("dim", `${done + 1}/${of} ${name}`));
    });
  } finally {
    progress.clear();
  }
}
