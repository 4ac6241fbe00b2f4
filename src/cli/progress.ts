/**
 * Progress of work that takes seconds: one line that is redrawn, on terminals alone.
 */
import type { BuildProgress } from "../image/build-image.ts";
import type { Paint } from "../text/style.ts";
import { type Io, labelled, Screen } from "./terminal.ts";

/** Without a terminal, a step of a build gets a line when it takes longer than this. */
const SLOW_STEP_MS = 1_000;

/** The step that runs: `2/7 link`. */
export function buildLine({ step, done, of }: BuildProgress, paint: Paint): string {
  return labelled(paint, "build", `${done + 1}/${of} ${step}`);
}

/** Shows the steps of building an image. */
export class BuildSteps {
  private readonly screen: Screen;
  private slowStep: NodeJS.Timeout | undefined;

  constructor(screen: Screen) {
    this.screen = screen;
  }

  show(step: BuildProgress): void {
    this.end();
    if (step.done === step.of) return;
    const line = buildLine(step, this.screen.paint);
    if (this.screen.interactive) this.screen.draw(line);
    else this.slowStep = setTimeout(() => this.screen.line(line), SLOW_STEP_MS);
  }

  /** The step that was shown last is over. */
  end(): void {
    clearTimeout(this.slowStep);
  }
}

/** Runs `work` with a line on standard error that says which cell runs. */
export async function withCellProgress<T>(
  io: Io,
  work: (onCell: (name: string, done: number, of: number) => void) => Promise<T>,
): Promise<T> {
  return withProgress(io, (show) =>
    work((name, done, of) => {
      show(`${done + 1}/${of} ${name}`);
    }),
  );
}

/** Runs `work` with a line on standard error that says what goes on. */
export async function withProgress<T>(
  io: Io,
  work: (show: (what: string) => void) => Promise<T>,
): Promise<T> {
  const progress = new Screen(io.err, io.environment);
  try {
    return await work((what) => progress.draw(progress.style("dim", what)));
  } finally {
    progress.clear();
  }
}
